import CALM
import CALMCorpus
import CALMSupport
import Foundation
import Testing
import Torch

/// Randomly damaged configurations are either read, and then may or may not match the weights, or refused with one
/// line.
@Suite("Randomly damaged configurations")
struct ConfigurationFuzzTests {
  private static let rounds = ProcessInfo.processInfo.environment["CALM_LONG_TESTS"] == "1" ? 20_000 : 300

  private static let snippets = [
    "null", "true", "[]", "{}", "\"\"", "-1", "0", "1", "2", "3", "7", "65536", "16777216", "2147483648",
    "9223372036854775807", "99999999999999999999", "1e400", "-0.0", "1e-320", "0.5", "\"gelu\"", "\"\\ud83d\"", "\\n",
    "[[[[[[[[", "{\"a\":", ",", "\"../..\"", "\"/dev/zero\"", "\"ae_path\"", "\"hidden_act\"", "\"variational\"",
    "{\"type\":\"linear\",\"factor\":1e300}", "\"head_dim\"", "\"architectures\"", "[\"Autoencoder\"]",
  ]

  /// `original` with a few changes: bytes changed, pieces removed, duplicated or replaced, values swapped.
  private func mutated(_ original: [UInt8], values: [Range<Int>], _ generator: inout SeededGenerator) -> [UInt8] {
    var bytes = original
    func below(_ count: Int) -> Int { generator.uniform(below: count) }
    let snippet = Array(Self.snippets[below(Self.snippets.count)].utf8)
    if below(2) == 0 {
      bytes.replaceSubrange(values[below(values.count)], with: snippet)
      return bytes
    }
    for _ in 0...below(3) where !bytes.isEmpty {
      let start = below(bytes.count)
      let end = min(bytes.count, start + 1 + below(9))
      switch below(6) {
      case 0: bytes[start] = UInt8(below(256))
      case 1: bytes.removeSubrange(start..<end)
      case 2: bytes.insert(contentsOf: bytes[start..<end], at: start)
      case 3: bytes.replaceSubrange(start..<end, with: snippet)
      case 4: bytes.insert(contentsOf: [UInt8](repeating: UInt8(ascii: "["), count: below(3000)), at: start)
      default: if below(4) == 0 { bytes.removeSubrange(start...) }
      }
    }
    return bytes
  }

  /// The ranges of the numbers, strings and words after a colon.
  private func values(in text: [UInt8]) -> [Range<Int>] {
    text.indices.filter { text[$0] == UInt8(ascii: ":") }.map { colon in
      let rest = text[(colon + 1)...]
      let end = rest.firstIndex { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\n") } ?? text.endIndex
      return colon + 1..<end
    }
  }

  @Test("a randomly damaged configuration loads or ends with an error in one line", arguments: ["", "autoencoder"])
  func damaged(part: String) throws {
    let scratch = try ScratchModels()
    let folder = try scratch.saved("model")
    let file = folder.appendingPathComponent(part).appendingPathComponent("config.json")
    let original = Array(try Data(contentsOf: file))
    let values = values(in: original)
    var generator = SeededGenerator(seed: 21)
    var (loaded, refused) = (0, 0)
    for round in 0..<Self.rounds {
      unlink(file.path)
      try Data(mutated(original, values: values, &generator)).write(to: file)
      do {
        let model = try ModelFolder(folder)
        let autoencoder = try model.autoencoderConfiguration()
        if model.kind == .languageModel { _ = try model.languageModelConfiguration().cost(autoencoder: autoencoder) }
        _ = model.kind == .languageModel ? try model.loadLanguageModel().parameterCount : 0
        loaded += 1
      } catch {
        #expect(error is ModelError || error is CheckpointError, "round \(round): \(error)")
        #expect(!"\(error)".contains { $0.isNewline } && "\(error)".utf8.count < 1000, "round \(round): \(error)")
        refused += 1
      }
    }
    #expect(loaded > Self.rounds / 20 && refused > Self.rounds / 20, "\(loaded) loaded, \(refused) refused")
  }

  @Test("the error for a config.json that is too long, too deep or not JSON names its path")
  func extremes() throws {
    let scratch = try ScratchModels()
    let folder = try scratch.saved("model")
    let file = folder.appendingPathComponent("config.json")
    for text in [
      String(repeating: "[", count: 100_000), "{\"a\":" + String(repeating: "{\"a\":", count: 50_000), "", "\u{0}",
      "[]", "3", String(repeating: " ", count: 2 << 20),
    ] {
      try Data(text.utf8).write(to: file)
      let error = #expect(throws: ModelError.self) { try ModelFolder(folder) }
      #expect("\(error.map { "\($0)" } ?? "")".contains(folder.path))
    }
  }
}
