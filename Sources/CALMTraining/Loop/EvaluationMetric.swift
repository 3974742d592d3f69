/// A result of an evaluation on held-out text.
public struct EvaluationMetric: Hashable, Sendable {
  /// Which values are better.
  public enum Direction: Sendable {
    /// For scores.
    case higherIsBetter
    /// For losses.
    case lowerIsBetter
  }

  /// The name in `metrics.jsonl`.
  public let name: String
  /// The value.
  public let value: Double
  /// Which values are better.
  public let direction: Direction

  /// Creates a metric.
  public init(_ name: String, _ value: Double, _ direction: Direction) {
    (self.name, self.value, self.direction) = (name, value, direction)
  }

  /// Whether the value is better than `other`.
  func isBetter(than other: Double) -> Bool {
    switch direction {
    case .higherIsBetter: value > other
    case .lowerIsBetter: value < other
    }
  }
}
