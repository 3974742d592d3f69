import CALMCorpus
import CALMSupport
import CALMTerminal
import CALMTokenizer
import CALMTraining
import Foundation

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
    var preparation = DataPreparation(
      vocabulary: try TokenVocabulary(of: tokenizer, at: files.tokenizer), createdBy: "calm \(calmVersion)")
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
