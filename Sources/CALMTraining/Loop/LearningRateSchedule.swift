import Foundation

/// How the learning rate changes over a run: a linear warm-up, then one of the usual shapes.
public struct LearningRateSchedule: Codable, Hashable, Sendable {
  /// What follows the warm-up.
  public enum Shape: String, Codable, Sendable, CaseIterable {
    /// The peak to the end, as the paper trains.
    case constant
    /// Half a cosine from the peak down to the floor.
    case cosine
    /// The peak until a share of the steps is left, then a straight line down to the floor
    /// (warm-up, stable, decay).
    case stableDecay = "stable-decay"
  }

  /// The highest rate.
  public var peak: Double
  /// What follows the warm-up.
  public var shape: Shape
  /// Steps from 0 up to the peak.
  public var warmupSteps: Int
  /// The last part of the run in which ``Shape/stableDecay`` falls.
  public var decayShare: Double
  /// The rate at the end, as a share of the peak.
  public var floor: Double

  /// A schedule; by default constant after 100 steps of warm-up.
  public init(
    peak: Double, shape: Shape = .constant, warmupSteps: Int = 100, decayShare: Double = 0.5, floor: Double = 0.02
  ) {
    self.peak = peak
    self.shape = shape
    self.warmupSteps = warmupSteps
    self.decayShare = decayShare
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
      let left = Double(total - step) / (Double(total) * decayShare)
      return peak * max(floor, min(1, left))
    }
  }
}
