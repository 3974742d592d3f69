import CALMCorpus
import Foundation

/// The text and the tokenizer of the jobs on text, created in a temporary folder unless the options name them.
final class BenchTextFiles {
  private(set) var text: String
  private(set) var tokenizer: String
  private let temporary: URL?

  /// - Throws: an error of reading, training or writing.
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
      let stories = TextSequence(SyntheticStories().stories(seed: 1, bytes: 16_000_000), name: "synthetic stories")
      text = folder.appendingPathComponent("stories.jsonl").path
      try JSONLinesWriter.write(stories, to: text)
    }
    if work.tokenizer == nil {
      let file = folder.appendingPathComponent("tokenizer.json")
      try TextPipeline.trainTokenizer(vocabularySize: 8192, on: CorpusReader(paths: [text])).save(to: file)
      tokenizer = file.path
    }
  }

  deinit {
    if let temporary { try? FileManager.default.removeItem(at: temporary) }
  }
}
