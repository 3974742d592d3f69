import CALM
import CALMCorpus
import CALMSupport
import Foundation
import Testing

/// A known distribution over four-token continuations that share prefixes.
enum KnownContinuations {
  static let outcomes: [[Int32]] = [
    [1, 1, 1, 1], [1, 1, 1, 2], [1, 1, 2, 1], [1, 2, 1, 1], [2, 1, 1, 1], [2, 2, 2, 2], [2, 2, 2, 3],
  ]
  static let distribution = KnownCategorical("continuations", weights: [30, 20, 10, 10, 5, 15, 10])

  /// The exact Brier-n of the distribution for a truth, from the probabilities of the first n tokens.
  static func brier(order: Int, truth: [Int32]) -> Double {
    var prefixes: [[Int32]: Double] = [:]
    for (outcome, probability) in zip(outcomes, distribution.probabilities) {
      prefixes[Array(outcome.prefix(order)), default: 0] += probability
    }
    return 2 * prefixes[Array(truth.prefix(order)), default: 0] - prefixes.values.reduce(0) { $0 + $1 * $1 }
  }
}

@Suite("Brier score")
struct BrierScoreTests {
  @Test("two samples give 1{x₁=y} + 1{x₂=y} − 1{x₁=x₂} for every n")
  func twoSamples() {
    for first in KnownContinuations.outcomes {
      for second in KnownContinuations.outcomes {
        for truth in KnownContinuations.outcomes {
          let values = BrierScore(samples: [first, second], truth: truth).values
          for order in 1...4 {
            let (x1, x2, y) = (first.prefix(order), second.prefix(order), truth.prefix(order))
            let expected = (x1 == y ? 1 : 0) + (x2 == y ? 1 : 0) - (x1 == x2 ? 1 : 0)
            #expect(values[order - 1] == Double(expected))
          }
        }
      }
    }
  }

  @Test("the average over all possible m samples is the exact score", arguments: [2, 3, 4])
  func unbiasedByEnumeration(samples: Int) {
    let outcomes = KnownContinuations.outcomes
    let truth: [Int32] = [1, 1, 2, 9]
    var mean = SIMD4<Double>.zero
    var draws = [Int](repeating: 0, count: samples)
    while true {
      let probability = draws.reduce(1) { $0 * KnownContinuations.distribution.probabilities[$1] }
      mean += probability * BrierScore(samples: draws.map { outcomes[$0] }, truth: truth).values
      guard let place = draws.lastIndex(where: { $0 < outcomes.count - 1 }) else { break }
      draws[place] += 1
      for later in (place + 1)..<samples { draws[later] = 0 }
    }
    for order in 1...4 {
      #expect(abs(mean[order - 1] - KnownContinuations.brier(order: order, truth: truth)) < 1e-12)
    }
  }

  // Twelve z-tests at |z| < 5, each with a false-alarm rate of 6e-7.
  @Test("the simulated score has the exact mean, and more samples have less variance")
  func unbiasedBySimulation() {
    let truth: [Int32] = [1, 1, 1, 2]
    let positions = 20_000
    var variances: [SIMD4<Double>] = []
    for samples in [2, 4, 16] {
      var generator = SeededGenerator(seed: 51)
      var sum = SIMD4<Double>.zero
      var squares = SIMD4<Double>.zero
      for _ in 0..<positions {
        let drawn = (0..<samples).map { _ in
          KnownContinuations.outcomes[KnownContinuations.distribution.draw(using: &generator)]
        }
        let values = BrierScore(samples: drawn, truth: truth).values
        sum += values
        squares += values * values
      }
      let mean = sum / Double(positions)
      let variance = squares / Double(positions) - mean * mean
      for order in 1...4 {
        let error = (variance[order - 1] / Double(positions)).squareRoot()
        #expect(abs(mean[order - 1] - KnownContinuations.brier(order: order, truth: truth)) < 5 * error)
      }
      variances.append(variance)
    }
    for order in 0..<4 {
      #expect(variances[1][order] < 0.7 * variances[0][order])
      #expect(variances[2][order] < 0.4 * variances[1][order])
    }
  }

  @Test("the expected score is largest for the distribution of the truth")
  func strictlyProper() {
    let truth = [0.5, 0.3, 0.2]
    func expected(_ model: [Double]) -> Double {
      truth.indices.reduce(0) { $0 + truth[$1] * BrierScore.exact(probabilities: model, truth: $1) }
    }
    for model in [[0.6, 0.2, 0.2], [0.49, 0.31, 0.2], [1, 0, 0], [1 / 3.0, 1 / 3.0, 1 / 3.0]] {
      #expect(expected(model) < expected(truth))
    }
    #expect(BrierScore.exact(probabilities: [1, 0], truth: 0) == 1)
    #expect(BrierScore.exact(probabilities: [1, 0], truth: 1) == -1)
  }

  @Test("tokens after the fourth do not affect the score")
  func looksAtFour() {
    let long = BrierScore(samples: [[1, 2, 3, 4, 5], [1, 2, 3, 4, 6]], truth: [1, 2, 3, 4, 7])
    #expect(long.accuracy == SIMD4(repeating: 1))
    #expect(long.collision == SIMD4(repeating: 1))
  }
}
