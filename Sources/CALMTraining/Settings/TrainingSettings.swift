import Torch

/// The settings of the training loop: length, batches, optimizer, evaluations, checkpoints.
public struct TrainingSettings: Codable, Hashable, Sendable {
  /// Optimizer steps of the whole run, unless another limit comes first.
  public var steps: Int
  /// The maximum number of tokens to train on; the run and its schedule end with the step that reaches it.
  public var maximumTokens: Int?
  /// The maximum duration in seconds; resuming restarts the clock.
  public var maximumSeconds: Double?
  /// Sequences per step, over all processes and accumulation steps.
  public var batchSize: Int
  /// The number of parts in which a process computes its share of a batch, one after the other, to save memory.
  public var gradientAccumulation: Int
  /// Tokens in a sequence, a multiple of the chunk size.
  public var sequenceLength: Int
  /// The learning rate by step.
  public var schedule: LearningRateSchedule
  /// The constants of AdamW.
  public var optimizer: AdamW.Settings
  /// The maximum norm of the gradients; larger ones are scaled down to it. 0 disables clipping.
  public var gradientClip: Double
  /// The decay of ``MovingAverage``; evaluations and the final model use the average. Nil disables it.
  public var emaDecay: Double?
  /// Whether the backward pass recomputes the Transformer's layers instead of storing their activations.
  public var gradientCheckpointing: Bool
  /// The maximum number of consecutive batches to skip because the loss or gradient is not finite.
  public var skipLimit: Int
  /// The random seed of initial weights, data order and noise.
  public var seed: UInt64
  /// The type in which the model computes; parameters are stored in float32.
  public var precision: Precision
  /// Steps between log lines.
  public var logInterval: Int
  /// Steps between evaluations; 0 evaluates only at the end.
  public var evaluationInterval: Int
  /// Held-out sequences per evaluation.
  public var evaluationSequences: Int
  /// Steps between checkpoints; 0 writes one only at the end.
  public var checkpointInterval: Int
  /// The number of latest checkpoints to keep.
  public var checkpointsToKeep: Int
  /// The evaluation metric that determines the best checkpoint; nil disables keeping the best.
  public var bestMetric: String?

  /// Creates settings with the given values and defaults for the rest. The parameters without defaults depend on the
  /// kind of model.
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

  /// The factor that clips gradients with the given norm.
  func gradientScale(norm: Double) -> Double { gradientClip > 0 ? min(1, gradientClip / norm) : 1 }

  /// Tokens per step.
  public var tokensPerStep: Int { batchSize * sequenceLength }

  /// The number of steps that reaches ``maximumTokens``.
  public var stepsOfTokens: Int? { maximumTokens.map { ($0 - 1) / tokensPerStep + 1 } }

  /// Steps that the limits of steps and tokens allow.
  public var totalSteps: Int { min(steps, stepsOfTokens ?? .max) }
}
