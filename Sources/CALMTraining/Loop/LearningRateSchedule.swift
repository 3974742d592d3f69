import Foundation

/// The learning rate over a run: a linear warm-up, then one of three shapes.
public struct LearningRateSchedule: Codable, Hashable, Sendable {
  /// The shape after the warm-up.
  public enum Shape: String, Codable, Sendable, CaseIterable {
    /// Stays at the peak, as in the paper.
    case constant
    /// Falls from the peak to the floor along half a cosine.
    case cosine
    /// Stays at the peak, then falls linearly to the floor (warmup-stable-decay, WSD).
    case stableDecay = "stable-decay"
  }

  /// The highest rate.
  public var peak: Double
  /// The shape after the warm-up.
  public var shape: Shape
  /// Steps in which the rate rises from 0 to the peak.
  public var warmupSteps: Int
  /// The fraction of the run, at its end, in which ``Shape/stableDecay`` falls.
  public var decayFraction: Double
  /// The rate at the end, as a fraction of the peak.
  public var floor: Double

  /// Creates a schedule: by default 100 steps of warm-up, then a constant rate.
  public init(
    peak: Double, shape: Shape = .constant, warmupSteps: Int = 100, decayFraction: Double = 0.5, floor: Double = 0.02
  ) {
    self.peak = peak
    self.shape = shape
    self.warmupSteps = warmupSteps
    self.decayFraction = decayFraction
    self.floor = floor
  }

  /// The rate of a step.
  ///
  /// - Parameters:
  ///   - step: counted from 0.
  ///   - total: steps of the whole run.
  public func rate(step: Int, of total: Int) -> Double {
    if step < warmupSteps { return peak * Double(step + 1) / Double(warmupSteps) }
    switch shape {
    case .constant:
      return peak
    case .cosine:
      let progress = min(1, Double(step - warmupSteps) / Double(max(1, total - warmupSteps)))
      return peak * (floor + (1 - floor) * (1 + cos(.pi * progress)) / 2)
    case .stableDecay:
      let left = Double(total - step) / (Double(total) * decayFraction)
      return peak * max(floor, min(1, left))
    }
  }
}
