import CALMCorpus
import CALMTerminal
import CALMTokenizer
import Foundation

/// The text and the tokenizer of the jobs on text; what was not given is made in a temporary folder.
final class BenchTextFiles {
  private(set) var text: String
  private(set) var tokenizer: String
  private let temporary: URL?

  /// - Throws: what reading, training and writing throw.
  init(_ work: BenchWorkOptions) throws {
    text = work.text ?? ""
    tokenizer = work.tokenizer ?? ""
    if work.text != nil && work.tokenizer != nil {
      temporary = nil
      return
    }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("calm-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    temporary = folder
    if work.text == nil {
      let file = folder.appendingPathComponent("tales.jsonl")
      let encoder = JSONEncoder()
      var lines = Data()
      for story in SyntheticStories().stories(seed: 1, bytes: 16_000_000) {
        lines += try encoder.encode(["text": story]) + Data("\n".utf8)
      }
      try lines.write(to: file)
      text = file.path
    }
    if work.tokenizer == nil {
      var trainer = try BPETrainer(vocabularySize: 8192)
      let reader = try CorpusReader(paths: [text])
      while let document = try reader.next() { trainer.add(document.text) }
      let file = folder.appendingPathComponent("tokenizer.json")
      try trainer.train().save(to: file)
      tokenizer = file.path
    }
  }

  deinit {
    if let temporary { try? FileManager.default.removeItem(at: temporary) }
  }
}
