import ArgumentParser
import CALM
import Foundation
import Torch
import Training

/// `calm bench`.
struct BenchCommand: ParsableCommand {
  /// What is timed.
  enum Job: String, ExpressibleByArgument, CaseIterable {
    case trainLanguageModel = "train-lm"
    case trainAutoencoder = "train-ae"
  }

  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time a training step on random tokens.",
    discussion: """
      Forward, backward, clipping and AdamW with fresh weights, so only speed and memory mean anything. Two steps warm \
      up; the median of the others is told.

      Example:
        calm bench train-lm --precision bfloat16 --json
      """)

  @Argument(help: "What to time.")
  var job: Job

  @Option(help: ArgumentHelp("The model: \(Self.presetNames).", valueName: "preset"))
  var preset = Preset.small

  @Option(help: ArgumentHelp("Blocks in a step.", valueName: "n"))
  var batchSize = 4

  @Option(help: ArgumentHelp("Tokens in a block.", valueName: "n"))
  var blockTokens = 1024

  @Option(help: ArgumentHelp("Steps to time.", valueName: "n"))
  var steps = 8

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: ReportOptions

  private static let presetNames = Preset.allCases.filter(\.isContinuous).map(\.rawValue).joined(separator: ", ")

  private struct Figures: Encodable {
    let job: String
    let preset: String
    let precision: String
    let threads: Int
    let secondsMedian: Double
    let secondsMin: Double
    let tokensPerSecond: Double
    let peakRssMib: Double
  }

  func validate() throws {
    try positive("--batch-size", batchSize)
    try positive("--block-tokens", blockTokens)
    try positive("--steps", steps)
    guard preset.isContinuous else { throw ValidationError("--preset must be one of \(Self.presetNames)") }
    guard blockTokens % 4 == 0, blockTokens >= 8 else {
      throw ValidationError("--block-tokens must be a multiple of 4 and at least 8, not \(blockTokens)")
    }
  }

  func run() throws {
    let compute = try compute.prepare()
    guard case .continuous(let sizes, let autoencoderSizes) = preset.model else { return }
    let generator = Generator(seed: 1, device: compute.device)
    let autoencoder = Autoencoder(autoencoderSizes, generator: generator)
    let task: any TrainingTask =
      switch job {
      case .trainAutoencoder: AutoencoderTask(autoencoder, validation: nil, tokenizer: Data())
      case .trainLanguageModel:
        LanguageModelTask(
          ContinuousLanguageModel(sizes, autoencoder: autoencoder, generator: generator), validation: nil,
          tokenizer: Data())
      }
    task.prepare(precision: compute.precision)
    task.module.convert(to: compute.precision)
    let optimizer = AdamW(task.module.namedParameters())
    let vocabulary = Double(sizes.vocabularySize)
    let ids = generator.uniform([batchSize, blockTokens], in: 3..<vocabulary).to(.int64)

    let bar = ProgressBar(label: "timing", total: steps + 2)
    var times: [Double] = []
    for step in 1...steps + 2 {
      let start = ContinuousClock.now
      let loss = task.loss(ids, step: step, generator: generator).total
      loss.backward()
      optimizer.update(learningRate: 1e-4, gradientScale: min(1, 1 / optimizer.gradientNorm()))
      if step > 2 { times.append(start.duration(to: .now).inSeconds) }
      bar.update(completed: step)
    }
    bar.finish()
    times.sort()
    let median = (times[(times.count - 1) / 2] + times[times.count / 2]) / 2
    let figures = Figures(
      job: job.rawValue, preset: preset.rawValue, precision: compute.precision.rawValue, threads: compute.threads,
      secondsMedian: median, secondsMin: times[0], tokensPerSecond: Double(batchSize * blockTokens) / median,
      peakRssMib: Self.peakResidentMebibytes())
    try report.print(
      figures,
      text: """
        \(job.rawValue) \(preset.rawValue): \(String(format: "%.3f", median)) s a step, \
        \(grouped(Int(figures.tokensPerSecond))) tokens/s, peak memory \(Int(figures.peakRssMib)) MiB, \(compute.summary)
        """)
  }

  private static func peakResidentMebibytes() -> Double {
    var usage = rusage()
    #if canImport(Darwin)
      getrusage(RUSAGE_SELF, &usage)
      return Double(usage.ru_maxrss) / 1_048_576
    #else
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      return Double(usage.ru_maxrss) / 1024
    #endif
  }
}

extension Preset: ExpressibleByArgument {}

extension Preset {
  /// Whether it is a continuous language model with its autoencoder.
  fileprivate var isContinuous: Bool {
    if case .continuous = model { true } else { false }
  }
}
