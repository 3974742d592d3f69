import CALMSupport

/// A progress report of a run.
public enum TrainingEvent: Sendable {
  /// A step was taken.
  case step(StepReport)
  /// An evaluation on held-out text ended, with its metrics by name.
  case evaluation(step: Int, metrics: [String: Double])
  /// A checkpoint was written.
  case checkpoint(step: Int, path: String)
  /// A batch was skipped because its loss or gradient was not finite.
  case skipped(step: Int)
}

/// The metrics of one step.
public struct StepReport: Sendable {
  /// Steps taken, including this one.
  public let step: Int
  /// Steps of the whole run.
  public let total: Int
  /// The loss.
  public let loss: Double
  /// The parts of the loss by name.
  public let parts: [String: Double]
  /// The global norm of the gradients before clipping.
  public let gradientNorm: Double
  /// The learning rate of this step.
  public let learningRate: Double
  /// Tokens per second since the last line of metrics.
  public let tokensPerSecond: Double
  /// Seconds since the run started or was resumed.
  public let seconds: Double
}

/// Why training ended.
public enum TrainingEnd: String, Codable, Sendable {
  /// All steps were taken.
  case steps
  /// The token limit was reached.
  case tokens
  /// The time limit was reached.
  case time
  /// The caller stopped training.
  case stopped

  /// Whether a limit of the settings was reached, so that the run has written its model.
  public var isComplete: Bool { self != .stopped }
}
