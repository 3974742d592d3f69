import Torch

/// What a training run is told, apart from its model and data.
public struct TrainingSettings: Codable, Hashable, Sendable {
  /// Optimizer steps of the whole run, if no other limit comes first.
  public var steps: Int
  /// Tokens to train on at most: the run ends, and its schedule with it, with the step that reaches them.
  public var maximumTokens: Int?
  /// Seconds that a run, or each part of it after a resumption, takes at most.
  public var maximumSeconds: Double?
  /// Blocks in a step, of all processes and parts together.
  public var batchSize: Int
  /// The parts in which a process computes its share of a batch, one after the other: more of them need less memory.
  public var gradientAccumulation: Int
  /// Tokens in a sequence, a multiple of the chunk size.
  public var sequenceLength: Int
  /// The learning rate over the run.
  public var schedule: LearningRateSchedule
  /// AdamW's constants.
  public var optimizer: AdamW.Settings
  /// Gradients whose norm is larger are scaled down to it; 0 clips nothing.
  public var gradientClip: Double
  /// The decay of ``MovingAverage``: evaluation and the finished model take the average. Nil keeps none.
  public var emaDecay: Double?
  /// Whether the backward pass computes the Transformer's layers again instead of keeping what they computed.
  public var gradientCheckpointing: Bool
  /// Batches in a row that may be left out for a loss or gradient that is not finite.
  public var skipLimit: Int
  /// Decides initial weights, order of the data and all noise.
  public var seed: UInt64
  /// The type in which the model computes; its parameters are kept in float32 either way.
  public var precision: Precision
  /// Steps between two lines of metrics.
  public var logInterval: Int
  /// Steps between two evaluations; 0 for one at the end alone.
  public var evaluationInterval: Int
  /// Blocks of the validation data that an evaluation during training looks at.
  public var evaluationBlocks: Int
  /// Steps between two checkpoints; 0 for one at the end alone.
  public var checkpointInterval: Int
  /// Checkpoints kept, the latest ones.
  public var checkpointsToKeep: Int
  /// The figure of the evaluations by which the best checkpoint is kept beside the latest; nil keeps none.
  public var bestBy: String?

  /// The default settings with those that every kind of model has its own of.
  public init(
    steps: Int, batchSize: Int, sequenceLength: Int = 256,
    schedule: LearningRateSchedule = LearningRateSchedule(peak: 2e-3, shape: .stableDecay), bestMetric: String? = nil
  ) {
    self.steps = steps
    self.batchSize = batchSize
    self.sequenceLength = sequenceLength
    self.schedule = schedule
    bestBy = bestMetric
    gradientAccumulation = 1
    optimizer = AdamW.Settings()
    gradientClip = 1
    gradientCheckpointing = false
    skipLimit = 20
    seed = 1
    precision = .auto
    logInterval = 10
    evaluationInterval = 0
    evaluationBlocks = 64
    checkpointInterval = 0
    checkpointsToKeep = 2
  }

  /// What gradients of a norm are multiplied by.
  func gradientScale(norm: Double) -> Double { gradientClip > 0 ? min(1, gradientClip / norm) : 1 }

  /// Tokens in a step.
  public var tokensPerStep: Int { batchSize * sequenceLength }

  /// The steps in which ``maximumTokens`` are reached.
  public var stepsOfTokens: Int? { maximumTokens.map { ($0 - 1) / tokensPerStep + 1 } }

  /// Steps that the limits of steps and tokens allow.
  public var totalSteps: Int { min(steps, stepsOfTokens ?? .max) }
}
