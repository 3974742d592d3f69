import CALM
import Foundation
import Testing
import Torch

/// The expected energy score is minimal if the samples have the distribution of the targets.
///
/// Every position is an independent experiment with N = 8 samples and M = 16 targets. A mean over positions is
/// considered larger than another if it exceeds it by 5 standard errors of the paired difference, and equal if within
/// 5: a seed misleads with a probability below 6e-7.
@Suite("Energy score")
struct EnergyScoreTests {
  private static let positions = 4000
  private static let size = 4
  private static let samples = 8
  private static let targets = 16

  /// Samples that are mean + deviation · standard normal.
  struct Prediction: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var mean = 0.0
    var deviation = 1.0

    static let wrong = [
      Prediction(testDescription: "shifted", mean: 0.25),
      Prediction(testDescription: "too narrow", deviation: 0.7),
      Prediction(testDescription: "too wide", deviation: 1.4),
      Prediction(testDescription: "collapsed to the mean", deviation: 0),
    ]
  }

  /// The score of each position, against targets from the standard normal.
  private func scores(_ prediction: Prediction, exponent: Double, samples: Int = Self.samples) -> [Double] {
    let shape = [samples, Self.positions, Self.size]
    // A collapsed prediction retains a trace of noise, because the power has no gradient at distance zero.
    let x = Generator(seed: 11).normal(shape, mean: prediction.mean, deviation: max(prediction.deviation, 1e-6))
    let y = Generator(seed: 12).normal([Self.targets, Self.positions, Self.size])
    return energyScore(samples: x, targets: y, exponent: exponent).elements(as: Double.self)
  }

  /// The mean and its standard error.
  private func estimate(_ values: [Double]) -> (mean: Double, error: Double) {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
    return (mean, (variance / count).squareRoot())
  }

  private static let properExponents = [0.5, 1, 1.5]

  @Test(
    "for 0 < β < 2 a wrong distribution has a larger energy score than the right one", arguments: properExponents,
    Prediction.wrong)
  func strictlyProper(exponent: Double, wrong: Prediction) {
    let right = scores(Prediction(testDescription: "right"), exponent: exponent)
    let difference = estimate(zip(scores(wrong, exponent: exponent), right).map { $0 - $1 })
    #expect(difference.mean > 5 * difference.error)
  }

  @Test("for β = 2 the energy score depends only on the mean", arguments: Prediction.wrong)
  func squaredDistanceSeesOnlyTheMean(prediction: Prediction) {
    // 2(‖μ‖² + l σx² + l σy²) − 2 l σx² = 2‖μ‖² + 2 l σy², and σy = 1.
    let expected = 2 * Double(Self.size) * (prediction.mean * prediction.mean + 1)
    let found = estimate(scores(prediction, exponent: 2))
    #expect(abs(found.mean - expected) < 5 * found.error)
  }

  @Test("the expected energy score does not depend on the number of samples", arguments: [2, 3, 8])
  func unbiased(samples: Int) {
    // At the true distribution it is the mean distance of two samples: in four dimensions the mean of a chi
    // variable, √2·Γ(5/2)/Γ(2), times √2.
    let expected = 2 * tgamma(2.5) / tgamma(2)
    let found = estimate(scores(Prediction(testDescription: "right"), exponent: 1, samples: samples))
    #expect(abs(found.mean - expected) < 5 * found.error)
  }

  @Test("the energy score agrees with its definition", arguments: [0.5, 1, 1.5, 2])
  func definition(exponent: Double) {
    let (n, m, positions, size) = (3, 5, 4, 7)
    let x = Generator(seed: 21).normal([n, positions, size])
    let y = Generator(seed: 22).normal([m, positions, size], mean: 0.5)
    let found = energyScore(samples: x, targets: y, exponent: exponent).elements(as: Double.self)
    let (xs, ys) = (x.elements(as: Double.self), y.elements(as: Double.self))
    func vector(_ values: [Double], _ index: Int, _ position: Int) -> ArraySlice<Double> {
      values[(index * positions + position) * size..<(index * positions + position + 1) * size]
    }
    func power(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>) -> Double {
      pow(zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }, exponent / 2)
    }
    for position in 0..<positions {
      var expected = 0.0
      for i in 0..<n {
        for j in 0..<m {
          expected += 2 * power(vector(xs, i, position), vector(ys, j, position)) / Double(n * m)
        }
        for k in 0..<n where k != i {
          expected -= power(vector(xs, i, position), vector(xs, k, position)) / Double(n * (n - 1))
        }
      }
      #expect(abs(found[position] - expected) < 1e-5 * abs(expected) + 1e-5)
    }
  }

  @Test("the energy score has a finite gradient where samples coincide", arguments: [0.5, 1, 1.5, 2])
  func coincidingSamples(exponent: Double) throws {
    let one = Generator(seed: 31).normal([1, 3, 5])
    let samples = Tensor.concatenated([one, one, one * 0.5])
    samples.requiresGradient = true
    energyScore(samples: samples, targets: one, exponent: exponent).mean().backward()
    #expect(try #require(samples.gradient).allFinite())
  }
}
