import CALMSupport

/// What a run tells whoever watches it.
public enum TrainingEvent: Sendable {
  /// A step was taken.
  case step(StepReport)
  /// An evaluation on held-out text ended.
  case evaluation(step: Int, figures: [String: Double])
  /// A checkpoint was written.
  case checkpoint(step: Int, path: String)
  /// A step was left out, because its loss or gradient was not finite.
  case skipped(step: Int)
}

/// One step in figures.
public struct StepReport: Sendable {
  /// Steps taken, this one included.
  public let step: Int
  /// Steps of the whole run.
  public let total: Int
  /// The loss.
  public let loss: Double
  /// Its parts by name.
  public let parts: [String: Double]
  /// The norm of all gradients together, before clipping.
  public let gradientNorm: Double
  /// The rate of this step.
  public let learningRate: Double
  /// Tokens a second since the last line of metrics.
  public let tokensPerSecond: Double
  /// Seconds since the run, or this part of it, began.
  public let seconds: Double
}

/// Why a run, or this part of it, came to its end.
public enum TrainingEnd: String, Codable, Sendable {
  /// All its steps were taken.
  case steps
  /// As many tokens were seen as it was to see.
  case tokens
  /// Its time was up.
  case time
  /// Whoever watches it said so.
  case stopped

  /// Whether the run has done what it was told, and left a model.
  public var isComplete: Bool { self != .stopped }
}
