import CALMCorpus
import CALMSupport
import CALMTerminal
import CALMTokenizer
import Foundation

/// The jobs on text: encoding it, and preparing a data set from it.
struct BenchTextJob {
  private let files: BenchTextFiles
  private let work: BenchWorkOptions
  private let pipeline: TextPipeline

  init(_ work: BenchWorkOptions, threads: Int) throws {
    self.work = work
    files = try BenchTextFiles(work)
    var pipeline = try TextPipeline(
      Tokenizer(contentsOf: URL(fileURLWithPath: files.tokenizer)), at: files.tokenizer,
      createdBy: "calm-bench \(calmVersion)")
    pipeline.preparation.threads = threads
    self.pipeline = pipeline
  }

  func measure(_ job: BenchJob) throws -> BenchMeasurement {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("calm-bench-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    var tokens = 0
    func repetition() throws {
      let reader = try CorpusReader(paths: [files.text])
      if job == .tokenizer {
        tokens = 0
        while let document = try reader.next() { tokens += pipeline.tokenizer.encode(document.text).count }
      } else {
        try? FileManager.default.removeItem(at: folder)
        let manifest = try pipeline.prepare(reader, into: folder.path)
        tokens = manifest.train.tokens + manifest.validation.tokens
      }
    }
    let result = try BenchMeasurement(steps: work.steps, warmUp: 1, tokens: 1, label: job.rawValue, body: repetition)
    return BenchMeasurement(
      secondsMedian: result.secondsMedian, secondsMin: result.secondsMin, tokens: tokens,
      tokensPerSecond: Double(tokens) / result.secondsMedian, peakMib: result.peakMib)
  }
}
