import CALMTokenizer
import Foundation
import Testing

@Suite struct FileTests {
  private static func fixture() throws -> [String: Any] {
    let data = try Data(contentsOf: TestFiles.fixtures.appendingPathComponent("bytebpe.json"))
    return try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  /// The error from loading the small tokenizer after `change`.
  private func error(_ change: (inout [String: Any]) throws -> Void) throws -> String? {
    var root = try Self.fixture()
    try change(&root)
    let bytes = Array(try JSONSerialization.data(withJSONObject: root))
    do {
      _ = try Tokenizer(fileBytes: bytes, name: "t.json")
      return nil
    } catch let error as TokenizerError {
      #expect(!error.description.contains("\n"))
      #expect(error.description.hasPrefix("t.json: "))
      return error.description
    }
  }

  private func changeModel(_ change: (inout [String: Any]) throws -> Void) throws -> String? {
    try error { root in
      var model = try #require(root["model"] as? [String: Any])
      try change(&model)
      root["model"] = model
    }
  }

  @Test("The unchanged small tokenizer loads without error")
  func unchanged() throws { #expect(try error { _ in } == nil) }

  @Test("Unsupported features of a tokenizer file cause an error that names the feature")
  func unsupported() throws {
    let byteLevel: [String: Any] = ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false]
    func split(_ pattern: Any) -> [String: Any] {
      ["type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false]
    }
    let llama3 = try #require(SplitPattern.llama3.regularExpression)
    let changes: [(String, Any, named: String)] = [
      ("normalizer", ["type": "NFC"], "NFC"),
      ("normalizer", ["type": "Sequence", "normalizers": [["type": "Lowercase"]]], "Lowercase"),
      ("truncation", ["max_length": 5], "truncation"),
      ("padding", ["strategy": "BatchLongest"], "padding"),
      ("version", "2.0", "version"),
      ("surprise", 1, "surprise"),
      ("pre_tokenizer", NSNull(), "pre-tokenizer"),
      ("pre_tokenizer", ["type": "Whitespace"], "Whitespace"),
      ("pre_tokenizer", ["type": "Sequence", "pretokenizers": [split(["Regex": "\\w+"]), byteLevel]], "\\w+"),
      ("pre_tokenizer", ["type": "Sequence", "pretokenizers": [split(["String": " "]), byteLevel]], "Split"),
      ("pre_tokenizer", ["type": "Sequence", "pretokenizers": [split(["Regex": llama3])]], "Split"),
      (
        "pre_tokenizer",
        ["type": "Sequence", "pretokenizers": [split(["Regex": llama3]), ["type": "ByteLevel", "use_regex": false]]],
        "add_prefix_space"
      ),
      ("pre_tokenizer", ["type": "ByteLevel", "novelty": true], "novelty"),
      ("post_processor", ["type": "BertProcessing"], "BertProcessing"),
      ("decoder", ["type": "WordPiece"], "WordPiece"),
      ("decoder", NSNull(), "decoder"),
    ]
    for (key, value, name) in changes {
      let message = try error { $0[key] = value }
      #expect(
        message?.contains(name) == true && message?.contains("not supported") == true, "\(key): \(message ?? "-")")
    }
    let modelChanges: [(String, Any)] = [
      ("type", "Unigram"), ("dropout", 0.1), ("byte_fallback", true), ("continuing_subword_prefix", "##"),
      ("end_of_word_suffix", "</w>"), ("novelty", 1),
    ]
    for (key, value) in modelChanges {
      let message = try changeModel { $0[key] = value }
      #expect(message?.contains(key == "type" ? "Unigram" : key) == true, "\(key): \(message ?? "-")")
    }
    for flag in ["lstrip", "rstrip", "single_word"] {
      let message = try error { $0["added_tokens"] = [["id": 0, "content": "<pad>", flag: true]] }
      #expect(message?.contains(flag) == true)
    }
  }

  @Test("Contradictions in the vocabulary or the merges of a tokenizer file cause an error")
  func malformedModel() throws {
    let changes: [([String: Any], named: String)] = [
      (["vocab": ["a": 0, "b": 0]], "same id"), (["vocab": [1, 2]], "vocab"), (["vocab": ["a": -1]], "valid id"),
      (["vocab": ["a": 1.5]], "valid id"), (["vocab": ["a": 1e30]], "valid id"),
      (["vocab": ["a": 4_000_000_000]], "valid id"),
      (["vocab": ["a": 1_000_000]], "at most"), (["vocab": ["a": "0"]], "valid id"), (["merges": ["Ġt"]], "merge 0"),
      (["merges": ["t h e"]], "merge 0"), (["merges": ["Ġ zzzz"]], "merge 0"), (["merges": [["Ġ"]]], "merge 0"),
      (["merges": ["Ġ t", "Ġ t"]], "occurs twice"), (["merges": ["z q"]], "merge 0"), (["merges": 3], "merges"),
      (["merges": [" "]], "merge 0"), (["merges": ["< s>"]], "merge 0"), (["ignore_merges": "yes"], "ignore_merges"),
    ]
    for (change, name) in changes {
      let message = try changeModel { $0.merge(change) { $1 } }
      #expect(message?.contains(name) == true, "\(change): \(message ?? "-")")
    }
    #expect(try changeModel { $0["vocab"] = nil }?.contains("vocab") == true)
    #expect(try error { $0["model"] = nil }?.contains("model") == true)
    func changeVocabulary(_ change: (inout [String: Any]) -> Void) throws -> String? {
      try changeModel { model in
        var vocabulary = try #require(model["vocab"] as? [String: Any])
        change(&vocabulary)
        model["vocab"] = vocabulary
      }
    }
    #expect(try changeVocabulary { $0["!"] = nil }?.contains("no token has the id 3") == true)
    #expect(try changeVocabulary { $0["new token"] = 512 }?.contains("alphabet") == true)
    #expect(try changeVocabulary { $0["<pad>"] = 512 }?.contains("added_tokens") == true)
  }

  @Test("Contradictions in the added tokens or templates of a tokenizer file cause an error")
  func malformedAddedTokens() throws {
    let tokens: [(Any, named: String)] = [
      ("none", "added_tokens"), ([["id": 0]], "added_tokens"), ([["id": 0, "content": ""]], "added_tokens"),
      ([["id": 0, "content": "<pad>"], ["id": 0, "content": "<s>"]], "id 0"),
      ([["id": 600, "content": "<x>"], ["id": 600, "content": "<y>"]], "id 600"),
      ([["id": 512, "content": "<x>"], ["id": 513, "content": "<x>"]], "twice"),
      ([["id": 5, "content": "<x>"]], "same id"), ([["id": 700, "content": "<x>"]], "at most"),
      ([["id": 513, "content": "<x>"], ["id": 514, "content": "<y>"]], "at most"),
    ]
    for (value, name) in tokens {
      let message = try error { $0["added_tokens"] = value }
      #expect(message?.contains(name) == true, "\(value): \(message ?? "-")")
    }
    func template(_ single: [Any], _ specials: [String: Any] = [:]) throws -> String? {
      try error {
        $0["post_processor"] = ["type": "TemplateProcessing", "single": single, "special_tokens": specials]
      }
    }
    let text: [String: Any] = ["Sequence": ["id": "A", "type_id": 0]]
    let begin: [String: Any] = ["SpecialToken": ["id": "<s>", "type_id": 0]]
    #expect(try template([begin, text], ["<s>": ["id": "<s>", "ids": [1], "tokens": ["<s>"]]]) == nil)
    #expect(try template([begin, text])?.contains("<s>") == true)
    #expect(try template([begin, text], ["<s>": ["ids": [600]]])?.contains("vocabulary") == true)
    #expect(try template([text, text])?.contains("not supported") == true)
    #expect(try template([begin], ["<s>": ["ids": [1]]])?.contains("not supported") == true)
  }

  @Test(
    "A tokenizer file that is not valid JSON causes an error",
    arguments: [
      "", "  \n", "{", "{\"a\":}", "{\"a\":1,}", "{\"a\" 1}", "{\"a\":1} x", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\x\"}",
      "{\"a\":tru}",
      "{\"a\":-}", "{\"a\":\"", "{\"a\":\"\\", "{\"a\":\"\\u12", "{\"a\":\"\u{1}\"}", "{\"a\":1e", "{\"a\":[1 2]}",
      "{]", "AA== x",
      "just text",
    ])
  func notJSON(text: String) {
    #expect { try Tokenizer(fileBytes: Array(text.utf8), name: "t.json") } throws: { error in
      guard case TokenizerError.malformed(file: "t.json", _) = error else { return false }
      return true
    }
  }

  @Test("Deep nesting in a tokenizer file causes an error and does not exhaust the stack", arguments: ["[", "{\"a\":"])
  func deepNesting(opening: String) {
    let text = "{\"version\":" + String(repeating: opening, count: 500_000)
    #expect { try Tokenizer(fileBytes: Array(text.utf8), name: "t.json") } throws: { "\($0)".contains("deep") }
  }

  @Test("A tokenizer file may contain JSON escapes, surrogate pairs and a byte-order mark")
  func jsonEscapes() throws {
    var root = try Self.fixture()
    root["added_tokens"] = [["id": 512, "content": "MARK", "special": true]]
    let json = String(decoding: try JSONSerialization.data(withJSONObject: root), as: UTF8.self)
      .replacingOccurrences(of: "MARK", with: #"\ud83d\ude80\u00e9\t\"\\\/"#)
    let tokenizer = try Tokenizer(fileBytes: [0xEF, 0xBB, 0xBF] + Array(json.utf8), name: "t.json")
    #expect(tokenizer.id(of: "🚀é\t\"\\/") == 512)
    let again = try Tokenizer(fileBytes: tokenizer.fileBytes(), name: "again")
    #expect(again.addedTokens == tokenizer.addedTokens)
  }

  @Test("A saved tokenizer is a single file that loads as the same tokenizer")
  func saveAndLoad() throws {
    try TestFiles.withTemporaryFolder { folder in
      let tokenizer = try SampleText.tokenizer(.llama3)
      let file = folder.appendingPathComponent("tokenizer.json")
      try Data("old".utf8).write(to: file)
      try tokenizer.save(to: file)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["tokenizer.json"])
      for url in [file, folder] {
        let loaded = try Tokenizer(contentsOf: url)
        #expect(loaded.contentHash == tokenizer.contentHash)
        #expect(loaded.vocabularySize == tokenizer.vocabularySize)
        #expect(loaded.encode(SampleText.prose) == tokenizer.encode(SampleText.prose))
      }
    }
  }

  @Test("Errors for unreadable and unwritable tokenizer files contain the path, and no partial files remain")
  func unreachableFiles() throws {
    try TestFiles.withTemporaryFolder { folder in
      let missing = folder.appendingPathComponent("no/tokenizer.json")
      #expect { try Tokenizer(contentsOf: missing) } throws: {
        if case TokenizerError.unreadable(missing.path, _) = $0 { true } else { false }
      }
      #expect { try Tokenizer(contentsOf: folder) } throws: { "\($0)".contains("neither tokenizer.json nor") }
      let tokenizer = try SampleText.tokenizer()
      for url in [missing, folder] {
        #expect { try tokenizer.save(to: url) } throws: {
          if case TokenizerError.unwritable(url.path, _) = $0 { !"\($0)".contains("\n") } else { false }
        }
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
  }

  @Test("The tokenizer_config.json in a folder specifies the beginning-of-text, end-of-text and padding tokens")
  func tokenRoles() throws {
    try TestFiles.withTemporaryFolder { folder in
      let json = folder.appendingPathComponent("tokenizer.json")
      let configuration = folder.appendingPathComponent("tokenizer_config.json")
      try FileManager.default.copyItem(at: TestFiles.fixtures.appendingPathComponent("bytebpe.json"), to: json)
      let byName = try Tokenizer(contentsOf: folder)
      #expect([byName.bosToken, byName.eosToken, byName.padToken] == [1, 2, 0])

      try Data(#"{"bos_token": null, "eos_token": {"content": "<s>"}, "pad_token": "</s>"}"#.utf8).write(
        to: configuration)
      let configured = try Tokenizer(contentsOf: folder)
      #expect([configured.bosToken, configured.eosToken, configured.padToken] == [1, 1, 2])
      #expect(configured.contentHash == byName.contentHash)

      for text in [#"{"pad_token": "<none>"}"#, #"{"pad_token": 5}"#, "[", "[]"] {
        try Data(text.utf8).write(to: configuration)
        #expect { try Tokenizer(contentsOf: folder) } throws: { "\($0)".hasPrefix(configuration.path) }
      }
    }
  }

  @Test("A padding token is added once, at the end, and only with a new name")
  func padToken() throws {
    var trainer = try BPETrainer(vocabularySize: 270, specialTokens: ["<eos>"])
    trainer.add(SampleText.prose)
    let tokenizer = try trainer.train()
    #expect(tokenizer.padToken == nil)
    let padded = try tokenizer.withPadToken()
    #expect(padded.padToken == Int32(tokenizer.vocabularySize))
    #expect(padded.vocabularySize == tokenizer.vocabularySize + 1)
    #expect(padded.contentHash != tokenizer.contentHash)
    #expect(try padded.withPadToken("[OTHER]").vocabularySize == padded.vocabularySize)
    #expect(try Tokenizer(fileBytes: padded.fileBytes(), name: "padded").padToken == padded.padToken)
    for name in ["", "a", "<eos>", "Ġ"] {
      #expect(throws: TokenizerError.self) { try tokenizer.withPadToken(name) }
    }
  }

  @Test("The content hash distinguishes tokenizers and is the same in every run")
  func contentHash() throws {
    let tokenizer = try Tokenizer(contentsOf: TestFiles.fixtures.appendingPathComponent("bytebpe.json"))
    #expect(tokenizer.contentHash == "dabead57826e086e")
    let others = try [
      SampleText.tokenizer(.gpt2), SampleText.tokenizer(.llama3), SampleText.tokenizer(.gpt2, vocabularySize: 339),
    ]
    #expect(Set(others.map(\.contentHash)).count == 3)
  }
}
