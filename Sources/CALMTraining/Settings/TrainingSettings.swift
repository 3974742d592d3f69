import Torch

/// The settings of the training loop: length, batches, optimizer, evaluations, checkpoints.
public struct TrainingSettings: Codable, Hashable, Sendable {
  /// Optimizer steps of the whole run, unless another limit comes first.
  public var steps: Int
  /// The most tokens to train on: the run and its schedule end with the step that reaches them.
  public var maximumTokens: Int?
  /// The most seconds that a run takes, counted anew when it is resumed.
  public var maximumSeconds: Double?
  /// Sequences per step, of all processes and accumulation steps together.
  public var batchSize: Int
  /// The parts in which a process computes its sequences of a step, one after the other, to save memory.
  public var gradientAccumulation: Int
  /// Tokens in a sequence, a multiple of the chunk size.
  public var sequenceLength: Int
  /// The learning rate by step.
  public var schedule: LearningRateSchedule
  /// AdamW's constants.
  public var optimizer: AdamW.Settings
  /// Gradients whose norm is larger are scaled down to it; 0 clips nothing.
  public var gradientClip: Double
  /// The decay of ``MovingAverage``: evaluation and the finished model take the average. Nil keeps none.
  public var emaDecay: Double?
  /// Whether the backward pass recomputes the Transformer's layers instead of keeping their activations.
  public var gradientCheckpointing: Bool
  /// Batches in a row that may be skipped for a loss or gradient that is not finite.
  public var skipLimit: Int
  /// The random seed of initial weights, data order and noise.
  public var seed: UInt64
  /// The type in which the model computes; its parameters are kept in float32.
  public var precision: Precision
  /// Steps between lines of metrics.
  public var logInterval: Int
  /// Steps between evaluations; 0 evaluates only at the end.
  public var evaluationInterval: Int
  /// Held-out sequences of each evaluation.
  public var evaluationSequences: Int
  /// Steps between checkpoints; 0 writes one only at the end.
  public var checkpointInterval: Int
  /// The number of latest checkpoints to keep.
  public var checkpointsToKeep: Int
  /// The metric of the evaluations that chooses the best checkpoint; nil keeps none besides the latest.
  public var bestMetric: String?

  /// The default settings. The parameters are those whose defaults depend on the kind of model.
  public init(
    steps: Int, batchSize: Int, sequenceLength: Int = 256,
    schedule: LearningRateSchedule = LearningRateSchedule(peak: 2e-3, shape: .stableDecay), bestMetric: String? = nil
  ) {
    self.steps = steps
    self.batchSize = batchSize
    self.sequenceLength = sequenceLength
    self.schedule = schedule
    self.bestMetric = bestMetric
    gradientAccumulation = 1
    optimizer = AdamW.Settings()
    gradientClip = 1
    gradientCheckpointing = false
    skipLimit = 20
    seed = 1
    precision = .auto
    logInterval = 10
    evaluationInterval = 0
    evaluationSequences = 64
    checkpointInterval = 0
    checkpointsToKeep = 2
  }

  /// The factor that clips gradients of a norm.
  func gradientScale(norm: Double) -> Double { gradientClip > 0 ? min(1, gradientClip / norm) : 1 }

  /// Tokens in a step.
  public var tokensPerStep: Int { batchSize * sequenceLength }

  /// The steps in which ``maximumTokens`` are reached.
  public var stepsOfTokens: Int? { maximumTokens.map { ($0 - 1) / tokensPerStep + 1 } }

  /// Steps that the limits of steps and tokens allow.
  public var totalSteps: Int { min(steps, stepsOfTokens ?? .max) }
}
