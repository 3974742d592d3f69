import CALMCorpus
import CALMSupport
import CALMTokenizer
import Foundation
import Testing

/// The locations of test files.
enum TestFiles {
  static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")

  /// Data that is too large or not licensed for the repository, in `CALM_SHARED` or in `shared` next to the package.
  static let shared: URL = {
    if let path = ProcessInfo.processInfo.environment["CALM_SHARED"] { return URL(fileURLWithPath: path) }
    var root = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { root.deleteLastPathComponent() }
    return root.appendingPathComponent("shared")
  }()

  static let llamaModel = shared.appendingPathComponent("data/llama3-tokenizer.model")
  static let llamaCases = shared.appendingPathComponent("fixtures/tokenizer/cases.jsonl")
  static let hasLlama = [llamaModel, llamaCases].allSatisfy { FileManager.default.fileExists(atPath: $0.path) }

  /// The reason for skipping the tests of Llama's tokenizer.
  static let noLlama: Comment = "the tokenizer of Llama 3 is not in CALM_SHARED"

  /// The objects of a JSON Lines file.
  static func lines<Line: Decodable>(of url: URL, as type: Line.Type = Line.self) throws -> [Line] {
    try Data(contentsOf: url).split(separator: UInt8(ascii: "\n")).map { try JSONDecoder().decode(Line.self, from: $0) }
  }

  /// Calls `body` with an empty folder that is removed afterwards.
  static func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("calm-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }
}

let runsLongTests = ProcessInfo.processInfo.environment["CALM_LONG_TESTS"] == "1"

/// Texts that exercise the split patterns with all classes of characters in many contexts.
enum SampleText {
  static let parts = [
    "'", "'s", "'S", "'\u{17F}", "'ll", "'LL", "'Re", "'l", "n't", " ", "  ", "   ", "\n", "\r", "\r\n", "\t", "\u{B}",
    "\u{85}", "\u{A0}", "\u{2003}", "\u{2028}", "\u{3000}", "a", "B", "é", "\u{17F}", "\u{212A}", "the", "ing", "1",
    "12",
    "1234", "٣", "Ⅷ", "½", "²", "漢", "字", "한", "ا", "ك", "\u{301}", "\u{200D}", "👍", "👩‍🚀", "_", "-", "--", "!", "...",
    "$", "<", "<pad>", "<bos>", "<eos>", "\0", "\u{7F}", "\u{FEFF}", "\u{E0001}", "ʰ", "ǅ",
  ]

  static func random(_ generator: inout SeededGenerator, parts: [String] = parts, length: Int) -> String {
    (0..<length).map { _ in parts[Int.random(in: 0..<parts.count, using: &generator)] }.joined()
  }

  static func randomBytes(_ generator: inout SeededGenerator, length: Int) -> [UInt8] {
    (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  static let prose = """
    Once upon a time there was a little mouse who lived in an old mill. "It's late," said the mouse, "and they've all
    gone home; I'll wait until ten o'clock." The miller didn't mind: he had 12 cats, 345 sacks and 6789 grains of corn.

    On the next day the mouse met the miller's daughter.  "We're friends now," she said, and they ate the corn together.
    """

  /// A tokenizer with merges for the words of `prose`.
  static func tokenizer(_ pattern: SplitPattern = .gpt2, vocabularySize: Int = 340) throws -> Tokenizer {
    var trainer = try BPETrainer(vocabularySize: vocabularySize, minimumFrequency: 1, splitPattern: pattern)
    trainer.add(prose)
    return try trainer.train()
  }
}
