import Foundation
import Testing
import Torch

@Suite("Energy score kernel")
struct EnergyScoreKernelTests {
  struct Size: Sendable {
    let samples: Int, targets: Int, positions: Int, size: Int
  }

  private static let sizes = [
    Size(samples: 2, targets: 1, positions: 1, size: 2), Size(samples: 3, targets: 4, positions: 5, size: 7),
    Size(samples: 8, targets: 10, positions: 3, size: 33), Size(samples: 4, targets: 5, positions: 0, size: 6),
  ]

  /// A distance sums over dimensions, and the score over pairs. The score is a difference of means that are about four
  /// times larger, which has the effect of 16 times the terms.
  private static func terms(_ size: Size) -> Int {
    16 * (2 * size.size + size.samples * (size.samples + size.targets))
  }

  private func inputs(_ size: Size) -> (samples: Tensor, targets: Tensor) {
    let generator = Generator(seed: 2)
    return (
      generator.normal([size.samples, size.positions, size.size]),
      generator.normal([size.targets, size.positions, size.size], mean: 0.5)
    )
  }

  private func check(targets: Tensor, exponent: Double) -> KernelCheck {
    let targets = targets.onTestDevice
    return KernelCheck(seed: 1) {
      energyScoreKernel(samples: $0[0], targets: targets, exponent: exponent)
    } reference: {
      let (x, y) = ($0[0], targets.to(.float64))
      let (n, m) = (x.shape[0], y.shape[0])
      func distance(_ a: Tensor, _ b: Tensor) -> Tensor { (a - b).squared().sum(-1).power(exponent / 2) }
      var loss = Tensor.zeros([x.shape[1]], dtype: .float64).onTestDevice
      for i in 0..<n {
        for j in 0..<m { loss = loss + 2 / Double(n * m) * distance(x.selected(0, i), y.selected(0, j)) }
        for k in 0..<n where k != i {
          loss = loss - 1 / Double(n * (n - 1)) * distance(x.selected(0, i), x.selected(0, k))
        }
      }
      return loss
    }
  }

  @Test("the energy score kernel agrees with its formula, in value and gradient", arguments: sizes, [1, 0.5, 1.5])
  func formula(size: Size, exponent: Double) {
    let (samples, targets) = inputs(size)
    check(targets: targets, exponent: exponent).expectAgreement([samples], dtype: .float32, terms: Self.terms(size))
  }

  // The loss is computed in float32 from the rounded samples; only the gradient is rounded again.
  @Test("the energy score of bfloat16 samples errs by one rounding of the gradient", arguments: sizes, [1, 0.5, 1.5])
  func bfloat16(size: Size, exponent: Double) {
    let (samples, targets) = inputs(size)
    check(targets: targets, exponent: exponent)
      .expectAgreement([samples], dtype: .bfloat16, terms: Self.terms(size))
  }

  @Test("the energy score of float16 samples falls back to libtorch's operations", arguments: [1, 1.5])
  func fallback(exponent: Double) {
    let (samples, targets) = inputs(Self.sizes[1])
    check(targets: targets, exponent: exponent)
      .expectAgreement([samples], dtype: .float16, terms: Self.terms(Self.sizes[1]), roundings: 4)
  }

  @Test("the gradient of the energy score agrees with finite differences", arguments: [1, 0.5, 1.5])
  func slopes(exponent: Double) {
    let (samples, targets) = inputs(Self.sizes[1])
    check(targets: targets, exponent: exponent).expectGradientsAreSlopes([samples], terms: Self.terms(Self.sizes[1]))
  }

  // ‖x‖^β has no derivative at 0 for β ≤ 1. Training needs zero there.
  @Test("the energy score has a zero gradient where all points coincide", arguments: [1, 0.5, 1.5])
  func coincidence(exponent: Double) {
    let samples = Tensor.ones([3, 2, 4]).leaf(.float32)
    let loss = energyScoreKernel(samples: samples, targets: .ones([5, 2, 4]), exponent: exponent)
    #expect(loss.numbers == [0, 0])
    loss.sum().backward()
    #expect(samples.gradient?.numbers == [Double](repeating: 0, count: 24))
  }

  @Test("the energy score does not depend on the memory layout of its inputs")
  func layout() {
    let (x, y) = (Generator(seed: 3).normal([6, 3, 4]), Generator(seed: 4).normal([6, 5, 4]))
    let (a, b) = (x.leaf(.float32), x.transposed(0, 2).contiguous().leaf(.float32))
    let targets = y.transposed(0, 2)
    let samples = energyScoreKernel(
      samples: a.transposed(0, 2), targets: targets.narrowed(1, 0..<3), exponent: 1)
    let copies = energyScoreKernel(samples: b, targets: targets.narrowed(1, 0..<3).contiguous(), exponent: 1)
    #expect(samples.rawBytes == copies.rawBytes)
    samples.sum().backward()
    copies.sum().backward()
    #expect(a.gradient?.transposed(0, 2).numbers == b.gradient?.numbers)
  }

  // With both samples at s and d = 1 the score at a position is 2/M Σ|s − y_m|^β. Its mean over P positions has the
  // expectation 2·E|s − y|^β, computed here by numeric integration, and a standard error of 2·√(Var / PM). The
  // tolerance is six standard errors: a correct kernel fails one of these eight tests for one seed in 6e7.
  @Test("the energy score kernel samples normal targets", arguments: [-2.0, 0, 0.5, 3], [1, 1.5])
  func drawnTargets(sample: Double, exponent: Double) {
    let (positions, count, mean, deviation) = (500, 64, 0.25, 1.5)
    let loss = energyScoreKernel(
      samples: .full([2, positions, 1], sample), mean: .full([positions, 1], mean),
      deviation: .full([positions, 1], deviation), count: count, exponent: exponent, generator: Generator(seed: 11))
    var (first, second) = (0.0, 0.0)
    for step in -8000...8000 {
      let z = Double(step) / 1000
      let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot() / 1000
      let power = pow(abs(sample - mean - deviation * z), exponent)
      (first, second) = (first + density * power, second + density * power * power)
    }
    let error = 2 * ((second - first * first) / Double(positions * count)).squareRoot()
    #expect(abs(loss.mean().item() - 2 * first) < 6 * error)
  }

  // The mean of M targets at each of P positions and S dimensions, computed from the gradient, which is practically
  // linear in it for β = 2 − 1e-9. For independent standard normals, the sum of M·mean² is P·S ± √(2·P·S).
  @Test("the energy score kernel samples independent targets for positions, dimensions and calls")
  func independence() {
    let (positions, size, count) = (300, 32, 10)
    let generator = Generator(seed: 12)
    func means() -> [Double] {
      let x = Tensor.zeros([2, positions, size]).leaf(.float32)
      energyScoreKernel(
        samples: x, mean: .zeros([positions, size]), deviation: .ones([positions, size]), count: count,
        exponent: 2 - 1e-9, generator: generator
      ).sum().backward()
      // d/dx of 2/(NM) Σ (x − y)² at 0, of one of N = 2 samples, is −2 · mean(y).
      return x.gradient?.selected(0, 0).numbers.map { $0 / -2 } ?? []
    }
    let (a, b) = (means(), means())
    let number = Double(positions * size)
    // Six standard errors each.
    func correlation(_ x: [Double], _ y: [Double]) -> Double {
      Double(count) * zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }
    }
    #expect(abs(correlation(a, a) - number) < 6 * (2 * number).squareRoot())
    #expect(abs(correlation(a, b)) < 6 * number.squareRoot())
    #expect(abs(correlation(a, Array(a.dropFirst()))) < 6 * number.squareRoot())
    #expect(abs(correlation(a, Array(a.dropFirst(size)))) < 6 * number.squareRoot())
    #expect(abs(a.reduce(0, +)) < 6 * (number / Double(count)).squareRoot())
  }

  @Test("the energy score kernel samples equal targets from equal generator states, and new ones in the next call")
  func resumption() {
    let samples = Generator(seed: 1).normal([3, 5, 7])
    func loss(_ generator: Generator) -> [Double] {
      energyScoreKernel(
        samples: samples, mean: .zeros([5, 7]), deviation: .ones([5, 7]), count: 4, exponent: 1, generator: generator
      ).numbers
    }
    let generator = Generator(seed: 2)
    _ = loss(generator)
    let state = generator.state
    let (second, third) = (loss(generator), loss(generator))
    let resumed = Generator(seed: 3)
    resumed.state = state
    #expect(loss(resumed) == second && loss(resumed) == third && second != third)
  }
}
