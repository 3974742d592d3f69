import Foundation
import TextCorpus
import Tokenization

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
      for story in Tales().stories(seed: 1, bytes: 16_000_000) {
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

/// Text turned into tokens, and into a folder of shards.
struct BenchTextJob {
  private let files: BenchTextFiles
  private let work: BenchWorkOptions
  private let threads: Int
  private let tokenizer: Tokenizer

  init(_ work: BenchWorkOptions, threads: Int) throws {
    (self.work, self.threads) = (work, threads)
    files = try BenchTextFiles(work)
    tokenizer = try Tokenizer(contentsOf: URL(fileURLWithPath: files.tokenizer))
  }

  func measure(_ job: BenchJob) throws -> BenchMeasurement {
    guard let end = tokenizer.eosToken else { throw InputError.noEndToken(tokenizer: files.tokenizer) }
    var preparation = DataPreparation(
      vocabulary: TokenVocabulary(
        tokenizerHash: tokenizer.contentHash, size: tokenizer.vocabularySize, endOfText: end),
      createdBy: "calm \(Calm.version)")
    preparation.threads = threads
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("calm-bench-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    var tokens = 0
    func repetition() throws {
      if job == .tokenizer {
        tokens = 0
        let reader = try CorpusReader(paths: [files.text])
        while let document = try reader.next() { tokens += tokenizer.encode(document.text).count }
      } else {
        try? FileManager.default.removeItem(at: folder)
        let manifest = try preparation.run(
          try CorpusReader(paths: [files.text]), into: folder.path, encode: { [tokenizer] in tokenizer.encode($0) })
        tokens = manifest.train.tokens + manifest.validation.tokens
      }
    }
    let result = try BenchMeasurement(steps: work.steps, warmUp: 1, tokens: 1, label: job.rawValue, body: repetition)
    return BenchMeasurement(
      secondsMedian: result.secondsMedian, secondsMin: result.secondsMin, tokens: tokens,
      tokensPerSecond: Double(tokens) / result.secondsMedian, peakMib: result.peakMib)
  }
}
