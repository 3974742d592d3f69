import CALMCorpus
import CALMSupport
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Cross-entropy of a projection")
struct LinearCrossEntropyTests {
  struct Size: Sendable {
    let rows: Int, size: Int, vocabulary: Int
  }

  // The last sizes need several blocks of rows. A block has 2²⁰ / vocabulary rows, at least 32 and at most 4096.
  private static let sizes = [
    Size(rows: 1, size: 1, vocabulary: 1), Size(rows: 3, size: 5, vocabulary: 7),
    Size(rows: 19, size: 8, vocabulary: 130), Size(rows: 70, size: 6, vocabulary: 40_001),
    Size(rows: 4100, size: 3, vocabulary: 10),
  ]

  /// Targets with every third row excluded, and with both ends of the vocabulary.
  private func targets(_ size: Size) -> [Int64] {
    var generator = SeededGenerator(seed: 7)
    return (0..<size.rows).map { row in
      switch row {
      case 0: 0
      case 1: Int64(size.vocabulary - 1)
      case let row where row % 3 == 2: -100
      default: Int64.random(in: 0..<Int64(size.vocabulary), using: &generator)
      }
    }
  }

  private func check(_ size: Size, targets: [Int64]) -> KernelCheck {
    var weights = [Double](repeating: 0, count: size.rows * size.vocabulary)
    let counted = targets.filter { $0 >= 0 }
    for (row, target) in targets.enumerated() where target >= 0 {
      weights[row * size.vocabulary + Int(target)] = -1 / Double(max(1, counted.count))
    }
    let places = Tensor(weights, shape: [size.rows, size.vocabulary]).onTestDevice
    return KernelCheck(seed: 1) {
      linearCrossEntropy($0[0], weight: $0[1], targets: Tensor(targets).onTestDevice)
    } reference: {
      (logSoftmax(matmul($0[0], $0[1].transposed())) * places).sum()
    }
  }

  /// A logit sums along a row of the weight, and its error is an error of the exponent: logits of up to 10 count the
  /// terms 100 times. The softmax and the hidden state's gradient sum over the vocabulary, the weight's gradient over
  /// rows.
  private static func terms(_ size: Size) -> Int { 100 * size.size + 2 * size.vocabulary + size.rows }

  private func inputs(_ size: Size) -> [Tensor] {
    let generator = Generator(seed: 2)
    return [generator.normal([size.rows, size.size]), generator.normal([size.vocabulary, size.size])]
  }

  @Test(
    "the fused cross-entropy agrees with its formula, in value and gradients, without targets of −100", arguments: sizes
  )
  func formula(size: Size) {
    check(size, targets: targets(size)).expectAgreement(inputs(size), dtype: .float32, terms: Self.terms(size))
  }

  // The logits, up to 10 here, are rounded before the softmax; its gradient and the result are rounded after it.
  @Test("the fused cross-entropy in bfloat16 errs by the rounding of the logits", arguments: sizes)
  func bfloat16(size: Size) {
    check(size, targets: targets(size))
      .expectAgreement(inputs(size), dtype: .bfloat16, terms: Self.terms(size), roundings: 12)
  }

  @Test("the fused cross-entropy in float64 falls back to libtorch's operations, with a float32 softmax")
  func fallback() {
    let (size, targets) = (Self.sizes[2], targets(Self.sizes[2]))
    let leaves = inputs(size).map { $0.onTestDevice.leaf(.float64) }
    let loss = linearCrossEntropy(leaves[0], weight: leaves[1], targets: Tensor(targets).onTestDevice)
    let exact = check(size, targets: targets).reference(leaves)
    expectClose(loss.numbers, exact.numbers, within: roundingBound(.float32, terms: Self.terms(size)))
  }

  @Test("the gradients of the fused cross-entropy agree with finite differences")
  func slopes() {
    let size = Self.sizes[1]
    check(size, targets: targets(size)).expectGradientsAreSlopes(inputs(size), terms: Self.terms(size))
  }

  @Test("the fused cross-entropy of no rows, or of excluded rows only, is zero with zero gradients", arguments: [0, 3])
  func nothing(rows: Int) {
    let (hidden, weight) = (Tensor.ones([rows, 4]).leaf(.float32), Tensor.ones([5, 4]).leaf(.float32))
    let loss = linearCrossEntropy(hidden, weight: weight, targets: Tensor([Int64](repeating: -100, count: rows)))
    #expect(loss.item() == 0)
    loss.backward()
    #expect(hidden.gradient?.numbers.allSatisfy { $0 == 0 } == true)
    #expect(weight.gradient?.numbers.allSatisfy { $0 == 0 } == true)
  }

  @Test("the fused cross-entropy is exact for large and for equal logits")
  func extremes() {
    // With logits 1e4 apart, the loss of a miss is their distance and the loss of a hit is zero.
    let hidden = Tensor([1, 1] as [Float], shape: [2, 1]).leaf(.float32)
    let weight = Tensor([1e4, 0, -1e4] as [Float], shape: [3, 1])
    let loss = linearCrossEntropy(hidden, weight: weight, targets: Tensor([0, 2] as [Int64]))
    expectClose(loss.numbers, [1e4], within: 1e-6)
    loss.backward()
    expectClose(hidden.gradient?.numbers ?? [], [0, 1e4], within: 1e-6)
    let uniform = linearCrossEntropy(
      .zeros([4, 2]), weight: .zeros([1000, 2]), targets: Tensor([0, 1, 2, 999] as [Int64]))
    expectClose(uniform.numbers, [log(1000)], within: 1e-6)
  }

  @Test("the fused cross-entropy does not depend on the memory layout of its inputs")
  func layout() {
    let (hidden, weight) = (Generator(seed: 3).normal([6, 9]), Generator(seed: 4).normal([6, 11]))
    let targets = Tensor([0, 10, -100, 3, 4, 5, 6, 7, 8] as [Int64])
    let (a, b) = (hidden.leaf(.float32), hidden.transposed().contiguous().leaf(.float32))
    let (y, z) = (
      linearCrossEntropy(a.transposed(), weight: weight.transposed(), targets: targets),
      linearCrossEntropy(b, weight: weight.transposed().contiguous(), targets: targets)
    )
    expectClose(y, z, within: 1e-6)
    y.backward()
    z.backward()
    expectClose(a.gradient?.transposed().numbers ?? [], b.gradient?.numbers ?? [.nan], within: 1e-6)
  }
}
