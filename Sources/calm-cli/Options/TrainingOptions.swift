import ArgumentParser
import CALM
import Foundation
import Training

/// What every training takes: its folders, its length, its rates.
struct TrainingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The folder that 'calm data prepare' made.", valueName: "folder"))
  var data: String?

  @Option(name: .customLong("out"), help: ArgumentHelp("The folder of the new run.", valueName: "folder"))
  var output: String?

  @Option(
    help: ArgumentHelp("Go on with the run in this folder; its settings stay, --steps may extend it.", valueName: "run")
  )
  var resume: String?

  @Option(
    help: ArgumentHelp(
      "Begin with the weights of this model, official or trained here, instead of fresh ones; its sizes are taken over.",
      valueName: "model"))
  var initFrom: String?

  @Option(help: ArgumentHelp("Optimizer steps.", valueName: "n"))
  var steps: Int?

  @Option(help: ArgumentHelp("Blocks in a step.", valueName: "n"))
  var batchSize: Int?

  @Option(
    help: ArgumentHelp("Chunks in a block: the context that training sees (tokens, for a Transformer).", valueName: "n")
  )
  var blockChunks: Int?

  @Option(help: ArgumentHelp("The highest learning rate.", valueName: "rate"))
  var learningRate: Double?

  @Option(help: "What the learning rate does after the warm-up.")
  var schedule: LearningRateSchedule.Shape?

  @Option(help: ArgumentHelp("Steps in which the learning rate rises to its highest.", valueName: "n"))
  var warmupSteps: Int?

  @Option(help: ArgumentHelp("The share of a matrix that a step takes away, times the learning rate.", valueName: "w"))
  var weightDecay: Double?

  @Option(help: ArgumentHelp("Scale down gradients whose norm is larger.", valueName: "norm"))
  var gradientClip: Double?

  @Option(help: ArgumentHelp("Decides initial weights, order of the data and all noise.", valueName: "n"))
  var seed: UInt64?

  @Option(help: ArgumentHelp("Steps between evaluations; 0: only after the last.", valueName: "n"))
  var evaluateEvery: Int?

  @Option(help: ArgumentHelp("Steps between checkpoints; 0: only after the last.", valueName: "n"))
  var checkpointEvery: Int?

  @Option(help: ArgumentHelp("Checkpoints to keep.", valueName: "n"))
  var keep: Int?

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    if resume != nil {
      let others: [(String, Bool)] = [
        ("--data", data != nil), ("--out", output != nil), ("--batch-size", batchSize != nil),
        ("--block-chunks", blockChunks != nil), ("--learning-rate", learningRate != nil),
        ("--schedule", schedule != nil), ("--warmup-steps", warmupSteps != nil), ("--seed", seed != nil),
        ("--weight-decay", weightDecay != nil), ("--gradient-clip", gradientClip != nil),
        ("--init-from", initFrom != nil),
      ]
      if let other = others.first(where: \.1) {
        throw ValidationError("\(other.0) cannot be changed in a run that goes on; only --steps can")
      }
    } else {
      guard data != nil else { throw ValidationError("name the prepared data with --data, or a run with --resume") }
      guard output != nil else { throw ValidationError("name the folder of the new run with --out") }
    }
    try positive("--steps", steps)
    try positive("--batch-size", batchSize)
    try positive("--block-chunks", blockChunks)
    try positive("--keep", keep)
    if let learningRate, !(learningRate > 0 && learningRate < 10) {
      throw ValidationError("--learning-rate must be above 0 and below 10, not \(learningRate)")
    }
    for (name, value) in [
      ("--warmup-steps", warmupSteps), ("--evaluate-every", evaluateEvery), ("--checkpoint-every", checkpointEvery),
    ] {
      if let value, value < 0 { throw ValidationError("\(name) must not be negative, not \(value)") }
    }
    for (name, value) in [("--weight-decay", weightDecay), ("--gradient-clip", gradientClip)] {
      if let value, !(value >= 0 && value.isFinite) {
        throw ValidationError("\(name) must not be negative, not \(value)")
      }
    }
  }

  /// Refuses sizes on the command line that are not those of the model to begin with.
  func agree(_ sizes: [(name: String, given: Int?, model: Int)]) throws {
    for size in sizes { try agree(size.name, size.given, size.model) }
  }

  /// Refuses a setting on the command line that is not that of the model to begin with.
  func agree<Value: Equatable>(_ name: String, _ given: Value?, _ model: Value) throws {
    if let given, given != model {
      throw InputError.otherSetting(model: initFrom ?? "", name: name, given: "\(given)", value: "\(model)")
    }
  }

  /// The settings of a new run: what was given, the rest from `usual`.
  func settings(_ usual: TrainingSettings, precision: ComputeSetting) -> TrainingSettings {
    var settings = usual
    if let steps { settings.steps = steps }
    if let batchSize { settings.batchSize = batchSize }
    if let blockChunks { settings.blockChunks = blockChunks }
    if let learningRate { settings.schedule.peak = learningRate }
    if let schedule { settings.schedule.shape = schedule }
    settings.schedule.warmupSteps = warmupSteps ?? min(usual.schedule.warmupSteps, max(1, settings.steps / 10))
    if let weightDecay { settings.optimizer.weightDecay = weightDecay }
    if let gradientClip, gradientClip > 0 { settings.gradientClip = gradientClip }
    if let seed { settings.seed = seed }
    settings.evaluationInterval = evaluateEvery ?? max(1, settings.steps / 10)
    settings.checkpointInterval = checkpointEvery ?? max(1, settings.steps / 5)
    if let keep { settings.keptCheckpoints = keep }
    settings.precision = precision.precision
    return settings
  }
}

/// Refuses a count that is not above zero.
func positive(_ name: String, _ value: Int?) throws {
  if let value, value <= 0 { throw ValidationError("\(name) must be above 0, not \(value)") }
}

extension LearningRateSchedule.Shape: ExpressibleByArgument {}
