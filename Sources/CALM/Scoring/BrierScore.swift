/// The Brier scores of 1-, 2-, 3- and 4-token continuations at one position.
///
/// For a predictive distribution P and a truth y the Brier score is 2·P(y) − Σ_x P(x)²: at most 1, and its expectation
/// is largest if P is the distribution of the truth. Estimating it needs no probabilities, only samples x_1 … x_m of P,
/// m ≥ 2:
///
///     2 · mean_i 1{x_i = y} − mean_{i<j} 1{x_i = x_j}
///
/// is unbiased for every m, and for m = 2 it is 1{x_1 = y} + 1{x_2 = y} − 1{x_1 = x_2}. More samples
/// reduce the variance, at the cost of time. Brier-n compares the first n tokens.
///
/// The two terms are stored separately, so that each can be estimated in a different way: for example, the collision
/// term of an autoregressive model uses its probabilities, and that of a model with short chunks uses separate
/// continuations.
public struct BrierScore: Hashable, Sendable {
  /// The length of the longest scored continuation, in tokens.
  public static let maximumOrder = 4

  /// The probability of the truth, or an estimate; lane n − 1 is for the first n tokens.
  public var accuracy: SIMD4<Double>

  /// The probability that two samples agree, or an estimate; lane n − 1 is for the first n tokens.
  public var collision: SIMD4<Double>

  /// Brier-1 to Brier-4, 2 · `accuracy` − `collision`.
  public var values: SIMD4<Double> { 2 * accuracy - collision }

  /// A score with the given terms.
  public init(accuracy: SIMD4<Double>, collision: SIMD4<Double>) {
    self.accuracy = accuracy
    self.collision = collision
  }

  /// Estimates the score from samples.
  ///
  /// - Parameters:
  ///   - samples: m ≥ 2 independent continuations of the model, each of at least 4 tokens; further tokens are ignored.
  ///   - truth: the continuation in the data, at least 4 tokens.
  public init<Token: Equatable>(samples: [[Token]], truth: [Token]) {
    precondition(
      truth.count >= Self.maximumOrder && samples.allSatisfy { $0.count >= Self.maximumOrder },
      "continuations must have at least \(Self.maximumOrder) tokens")
    let flat = samples.flatMap { $0.prefix(Self.maximumOrder) }
    self = flat.withUnsafeBufferPointer { samples in
      truth.withUnsafeBufferPointer { BrierScore(samples: samples, stride: Self.maximumOrder, truth: $0) }
    }
  }

  /// Estimates the score from m ≥ 2 contiguous samples, each `stride` tokens long.
  init<Token: Equatable>(
    samples: UnsafeBufferPointer<Token>, stride: Int, truth: UnsafeBufferPointer<Token>
  ) {
    let count = samples.count / stride
    precondition(count >= 2, "the Brier score needs at least 2 samples, got \(count)")
    var hits = SIMD4<Double>.zero
    var collisions = SIMD4<Double>.zero
    for first in 0..<count {
      let sample = samples.extracting((first * stride)..<((first + 1) * stride))
      Self.addMatches(of: sample, truth, to: &hits)
      for second in (first + 1)..<count {
        Self.addMatches(of: sample, samples.extracting((second * stride)..<((second + 1) * stride)), to: &collisions)
      }
    }
    self.init(accuracy: hits / Double(count), collision: collisions / Double(count * (count - 1) / 2))
  }

  /// The exact Brier score 2·P(y) − Σ_x P(x)² of a known distribution.
  ///
  /// - Parameters:
  ///   - probabilities: P, summing to 1.
  ///   - truth: the index of y.
  public static func exact(probabilities: [Double], truth: Int) -> Double {
    2 * probabilities[truth] - probabilities.reduce(0) { $0 + $1 * $1 }
  }

  /// Adds 1 in lane n − 1 for every n ≤ 4 for which the first n tokens agree.
  @inline(__always)
  private static func addMatches<Token: Equatable>(
    of left: UnsafeBufferPointer<Token>, _ right: UnsafeBufferPointer<Token>, to sums: inout SIMD4<Double>
  ) {
    for order in 0..<maximumOrder {
      guard left[order] == right[order] else { return }
      sums[order] += 1
    }
  }
}
