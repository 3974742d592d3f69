import CALMCorpus
import CALMSupport
import CALMTokenizer
import Testing

@Suite struct TrainingTests {
  private func train(
    _ documents: [String], size: Int, minimumFrequency: Int = 2, pattern: SplitPattern = .gpt2
  ) throws -> Tokenizer {
    var trainer = try BPETrainer(vocabularySize: size, minimumFrequency: minimumFrequency, splitPattern: pattern)
    for document in documents { trainer.add(document) }
    return try trainer.train()
  }

  private func learnedTokens(_ tokenizer: Tokenizer) throws -> [String] {
    try (259..<max(259, tokenizer.vocabularySize)).map {
      String(decoding: try tokenizer.token(for: Int32($0)), as: UTF8.self)
    }
  }

  @Test("The ids of a trained tokenizer are the special tokens, the 256 bytes and the merges in order")
  func idLayout() throws {
    let tokenizer = try train(["low low low lower"], size: 262)
    #expect(tokenizer.padToken == 0)
    #expect(tokenizer.bosToken == 1)
    #expect(tokenizer.eosToken == 2)
    #expect(
      try (0..<3).map { String(decoding: try tokenizer.token(for: $0), as: UTF8.self) } == ["<pad>", "<bos>", "<eos>"])
    #expect(try Set((3..<259).map { try tokenizer.token(for: Int32($0)) }) == Set((0...255).map { [UInt8($0)] }))
    #expect(try tokenizer.token(for: 3) == [UInt8(ascii: "!")])
    // "lo" and "ow" occur four times each; "l" has the smaller id. Then "low" four times, then " low" three times.
    #expect(try learnedTokens(tokenizer) == ["lo", "low", " low"])
  }

  /// Training by definition: recount all pairs before each merge.
  private func learnedByDefinition(_ pieces: [[UInt8]], size: Int, minimumFrequency: Int) -> [[UInt8]] {
    let order = (0...255).map { UInt8($0) }.sorted { byteOrder($0) < byteOrder($1) }
    var tokens = order.map { [$0] }
    var words = pieces.map { $0.map { byte in order.firstIndex(of: byte)! } }
    while tokens.count + 3 < size {
      var counts: [[Int]: Int] = [:]
      for word in words {
        for index in word.indices.dropLast() { counts[[word[index], word[index + 1]], default: 0] += 1 }
      }
      let best = counts.max { a, b in
        a.value != b.value ? a.value < b.value : (b.key[0], b.key[1]) < (a.key[0], a.key[1])
      }
      guard let best, best.value >= minimumFrequency else { break }
      let bytes = tokens[best.key[0]] + tokens[best.key[1]]
      let result = tokens.firstIndex(of: bytes) ?? tokens.count
      if result == tokens.count { tokens.append(bytes) }
      words = words.map { word in
        var merged: [Int] = []
        var index = 0
        while index < word.count {
          let isPair = index + 1 < word.count && word[index] == best.key[0] && word[index + 1] == best.key[1]
          merged.append(isPair ? result : word[index])
          index += isPair ? 2 : 1
        }
        return merged
      }
    }
    return Array(tokens.dropFirst(256))
  }

  /// Printable bytes first, as in `tokenizer.json` vocabularies.
  private func byteOrder(_ byte: UInt8) -> Int {
    let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
    return isPrintable ? Int(byte) : Int(byte) + 256
  }

  @Test("Incremental counting learns the same tokens as recounting all pairs", arguments: 1...12)
  func definition(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let alphabet = [["a", "b"], ["a", "b", "c", " "], ["a", "aa", "ab", " ", "é", "12"]][Int(seed % 3)]
    let documents = (0..<12).map { _ in
      SampleText.random(&generator, parts: alphabet, length: Int.random(in: 0...40, using: &generator))
    }
    let pieces = documents.flatMap { document in
      var rest = Array(document.utf8)[...]
      return SplitPattern.gpt2.pieceLengths(of: Array(rest)).map { length in
        defer { rest = rest.dropFirst(length) }
        return Array(rest.prefix(length))
      }
    }
    let tokenizer = try train(documents, size: 300)
    let learned = try (259..<tokenizer.vocabularySize).map { try tokenizer.token(for: Int32($0)) }
    #expect(learned == learnedByDefinition(pieces, size: 300, minimumFrequency: 2))
  }

  @Test("Training a tokenizer is deterministic and independent of the order of documents")
  func deterministic() throws {
    var generator = SeededGenerator(seed: 9)
    var documents = (0..<50).map { _ in SampleText.random(&generator, length: 60) } + [SampleText.prose]
    let first = try train(documents, size: 500).fileBytes()
    #expect(try train(documents, size: 500).fileBytes() == first)
    documents.shuffle(using: &generator)
    #expect(try train(documents, size: 500).fileBytes() == first)
  }

  @Test("Pairs below the minimum frequency do not become tokens")
  func minimumFrequency() throws {
    #expect(try learnedTokens(train(["xyxyxy"], size: 300, minimumFrequency: 4)) == [])
    #expect(try learnedTokens(train(["xyxyxy"], size: 300, minimumFrequency: 3)) == ["xy"])
    // "xyxyxy" has "xy" three times and then "xyxy" twice.
    #expect(try learnedTokens(train(["xyxyxy"], size: 300)) == ["xy", "xyxy"])
    #expect(try learnedTokens(train(["xyxyxy"], size: 300, minimumFrequency: 1)) == ["xy", "xyxy", "xyxyxy"])
  }

  @Test("No learned token crosses the end of a document")
  func documentBoundaries() throws {
    #expect(try learnedTokens(train(Array(repeating: "q", count: 50), size: 300)) == [])
  }

  @Test("The text of a special token is learned as ordinary text and never becomes a token of the same name")
  func specialTokensInText() throws {
    let tokenizer = try train(Array(repeating: "<pad>", count: 50), size: 300, pattern: .wholeText)
    #expect(!(try learnedTokens(tokenizer).contains("<pad>")))
    #expect(tokenizer.encode("<pad>").count > 1)
    #expect(try Tokenizer(fileBytes: tokenizer.fileBytes(), name: "saved").contentHash == tokenizer.contentHash)
  }

  @Test("The tokenizer trainer rejects invalid settings and empty text")
  func errors() throws {
    #expect(throws: TokenizerError.vocabularyTooSmall(size: 258, minimum: 259)) { try BPETrainer(vocabularySize: 258) }
    #expect(throws: TokenizerError.nothingToTrainOn) { try train(["", ""], size: 300) }
    for tokens in [["<a>", "<a>"], [""], ["a"], ["Ġ"], ["é"]] {
      #expect(throws: TokenizerError.self) { try BPETrainer(vocabularySize: 300, specialTokens: tokens) }
    }
  }

  @Test("A tokenizer can have a vocabulary of only bytes and special tokens")
  func bytesOnly() throws {
    let tokenizer = try train(["abc"], size: 259)
    #expect(tokenizer.vocabularySize == 259)
    #expect(tokenizer.encode("abc").count == 3)
  }
}
