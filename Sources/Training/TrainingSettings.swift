import Torch

/// What a training run is told, apart from its model and data.
public struct TrainingSettings: Codable, Hashable, Sendable {
  /// Optimizer steps of the whole run.
  public var steps: Int
  /// Blocks in a step.
  public var batchSize: Int
  /// Chunks in a block.
  public var blockChunks: Int
  /// The learning rate over the run.
  public var schedule: LearningRateSchedule
  /// AdamW's constants.
  public var optimizer: AdamW.Settings
  /// Gradients whose norm is larger are scaled down to it.
  public var gradientClip: Double
  /// Decides initial weights, order of the data and all noise.
  public var seed: UInt64
  /// The type in which the model computes; its parameters are kept in float32 either way.
  public var precision: DType
  /// Steps between two lines of metrics.
  public var logInterval: Int
  /// Steps between two evaluations; 0 for one at the end alone.
  public var evaluationInterval: Int
  /// Blocks of the validation data that an evaluation during training looks at.
  public var evaluationBlocks: Int
  /// Steps between two checkpoints; 0 for one at the end alone.
  public var checkpointInterval: Int
  /// Checkpoints kept, the latest ones.
  public var keptCheckpoints: Int

  /// The usual settings around what a run must say.
  public init(steps: Int, batchSize: Int, blockChunks: Int, schedule: LearningRateSchedule) {
    self.steps = steps
    self.batchSize = batchSize
    self.blockChunks = blockChunks
    self.schedule = schedule
    optimizer = AdamW.Settings()
    gradientClip = 1
    seed = 1
    precision = .float32
    logInterval = 10
    evaluationInterval = 0
    evaluationBlocks = 64
    checkpointInterval = 0
    keptCheckpoints = 2
  }
}
