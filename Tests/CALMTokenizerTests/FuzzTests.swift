import CALMCorpus
import CALMSupport
import CALMTokenizer
import Foundation
import Testing

/// Checks that randomly damaged files either load as a working tokenizer or cause an error of one line.
@Suite struct FuzzTests {
  private static let count = runsLongTests ? 20_000 : 400

  private static let snippets = [
    "null", "true", "[]", "{}", "[[", "\"", "\\", "\\ud800", "-1", "1e999", "99999999999999999999", "0.5", "2147483648",
    "\u{0}", ",", ":", "Ġ", "<pad>", "\"Ġ t\"", "\"id\": 3", "\"special\": true", "\n", " ", "==", "\"normalizer\": {}",
  ]

  private func mutated(_ original: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
      // Half of the changes affect the first or last thousand bytes, which contain the settings.
      let near = min(bytes.count, 1_000)
      let position =
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: Int.random(in: 0..<near, using: &generator)
        case 1: bytes.count - 1 - Int.random(in: 0..<near, using: &generator)
        default: Int.random(in: 0..<bytes.count, using: &generator)
        }
      let end = min(bytes.count, position + Int.random(in: 1...12, using: &generator))
      switch Int.random(in: 0..<6, using: &generator) {
      case 0: bytes[position] = UInt8.random(in: 0...255, using: &generator)
      case 1: bytes[position] ^= 1 << UInt8.random(in: 0...7, using: &generator)
      case 2: bytes.removeSubrange(position..<end)
      case 3: bytes.insert(contentsOf: bytes[position..<end], at: position)
      case 4:
        let snippet = Self.snippets[Int.random(in: 0..<Self.snippets.count, using: &generator)]
        bytes.replaceSubrange(position..<end, with: Array(snippet.utf8))
      default: bytes.removeSubrange((Int.random(in: 0..<8, using: &generator) == 0 ? position : end)...)
      }
    }
    return bytes
  }

  /// The ranges of the strings and numbers of a JSON text.
  private func literals(of text: [UInt8]) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var index = 0
    while index < text.count {
      let start = index
      if text[index] == UInt8(ascii: "\"") {
        index += 1
        while text[index] != UInt8(ascii: "\"") { index += text[index] == UInt8(ascii: "\\") ? 2 : 1 }
      } else if !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[index]) {
        index += 1
        continue
      }
      index += 1
      ranges.append(start..<index)
    }
    return ranges
  }

  /// Returns `original` with some strings and numbers replaced by others. The result is still JSON.
  private func rearranged(
    _ original: [UInt8], literals: [Range<Int>], _ generator: inout SeededGenerator
  ) -> [UInt8] {
    var bytes = original
    let settings = literals.prefix(60) + literals.suffix(10)
    let chosen = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
      Bool.random(using: &generator)
        ? settings[Int.random(in: 0..<settings.count, using: &generator)]
        : literals[Int.random(in: 0..<literals.count, using: &generator)]
    }
    for range in Set(chosen).sorted(by: { $0.lowerBound > $1.lowerBound }) {
      let other = literals[Int.random(in: 0..<literals.count, using: &generator)]
      let value = Self.values[Int.random(in: 0..<Self.values.count, using: &generator)]
      bytes.replaceSubrange(range, with: Bool.random(using: &generator) ? original[other] : Array(value.utf8)[...])
    }
    return bytes
  }

  private static let values = [
    "null", "true", "false", "[]", "{}", "\"\"", "-1", "0", "1", "2", "512", "2147483647", "2147483648", "1e3", "1e999",
    "99999999999999999999", "0.5", "\"Ġ\"", "\"Ġ t\"", "\"<s>\"", "\"ByteLevel\"", "\"Sequence\"", "\"type\"", "\"é\"",
    "\"\\ud83d\\ude80\"", "\"e\u{301}\"",
  ]

  private func check(_ load: () throws -> Tokenizer, _ description: @autoclosure () -> String) throws {
    do {
      let tokenizer = try load()
      let bytes = Array(SampleText.prose.utf8)
      let ids = tokenizer.encode(bytes: bytes, allowSpecial: true, addTemplate: true)
      _ = try tokenizer.decode(ids)
      let plain = try tokenizer.decodeBytes(tokenizer.encode(bytes: bytes))
      #expect(plain == bytes || plain == [UInt8(ascii: " ")] + bytes, "\(description())")
      let again = try Tokenizer(fileBytes: tokenizer.fileBytes(), name: "again")
      #expect(again.contentHash == tokenizer.contentHash, "\(description())")
      #expect(again.encode(bytes: bytes, allowSpecial: true, addTemplate: true) == ids, "\(description())")
    } catch let error as TokenizerError {
      #expect(error.description.split(whereSeparator: \.isNewline).count == 1, "\(description())")
      #expect(error.description.utf8.count < 400, "\(description())")
    }
  }

  @Test(
    "A damaged tokenizer.json loads as a working tokenizer or causes an error of one line",
    arguments: ["bytebpe.json", "llama-like.json", "prefix-space.json"])
  func json(name: String) throws {
    let original = Array(try Data(contentsOf: TestFiles.fixtures.appendingPathComponent(name)))
    var generator = SeededGenerator(seed: 10)
    let literals = literals(of: original)
    for round in 0..<Self.count {
      let bytes =
        round % 2 == 0
        ? mutated(original, &generator) : rearranged(original, literals: literals, &generator)
      try check({ try Tokenizer(fileBytes: bytes, name: "fuzz.json") }, "\(name), round \(round)")
    }
  }

  @Test("A tokenizer with a damaged tokenizer_config.json works or causes an error of one line")
  func configuration() throws {
    let original = Array(
      #"{"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "pad_token": null}"#.utf8)
    let literals = literals(of: original)
    var generator = SeededGenerator(seed: 12)
    try TestFiles.withTemporaryFolder { folder in
      let json = folder.appendingPathComponent("tokenizer.json")
      try FileManager.default.copyItem(at: TestFiles.fixtures.appendingPathComponent("prefix-space.json"), to: json)
      for round in 0..<Self.count {
        let bytes =
          round % 2 == 0
          ? mutated(original, &generator) : rearranged(original, literals: literals, &generator)
        try Data(bytes).write(to: folder.appendingPathComponent("tokenizer_config.json"))
        try check({ try Tokenizer(contentsOf: folder) }, "configuration, round \(round)")
      }
    }
  }

  @Test("A damaged rank file loads as a working tokenizer or causes an error of one line")
  func ranks() throws {
    let tokens = try RankFile.tokens()
    let original = RankFile.bytes(tokens)
    var generator = SeededGenerator(seed: 11)
    for round in 0..<Self.count {
      let bytes = mutated(original, &generator)
      try check(
        { try Tokenizer(ranks: bytes, count: tokens.count, name: "fuzz.model") }, "ranks, round \(round)")
    }
  }
}
