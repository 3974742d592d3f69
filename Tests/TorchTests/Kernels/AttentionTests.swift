import Testing
import Torch

@Suite("Attention")
struct AttentionTests {
  /// Batch, heads, length, size.
  private static let shapes = [[1, 1, 2, 2], [2, 3, 5, 4], [1, 2, 63, 16], [3, 1, 33, 7]]

  private func check(causal: Bool) -> KernelCheck {
    KernelCheck(seed: 1) {
      attention(query: $0[0], key: $0[1], value: $0[2], causal: causal)
    } reference: {
      let (length, size) = ($0[0].shape[2], $0[0].shape[3])
      var products = matmul($0[0], $0[1].transposed()) / Double(size).squareRoot()
      if causal {
        let places = Tensor.range(0..<length, dtype: .float64).onTestDevice
        let isLater = (places.reshaped(1, -1) - places.reshaped(-1, 1)).isGreater(than: 0)
        products = products.replaced(with: Tensor.full([1], -1e30, dtype: .float64).onTestDevice, where: isLater)
      }
      return matmul(softmax(products), $0[2])
    }
  }

  /// The error of a product, which is at most 4 here, is an error of the exponent: it counts as 16 times the terms.
  private static func terms(_ shape: [Int]) -> Int { 2 * (16 * shape[3] + 2 * shape[2]) }

  private func inputs(_ shape: [Int]) -> [Tensor] {
    let generator = Generator(seed: 2)
    return (0..<3).map { _ in generator.normal(shape) }
  }

  @Test("attention agrees with its formula, in value and gradients", arguments: shapes, [true, false])
  func formula(shape: [Int], causal: Bool) {
    check(causal: causal).expectAgreement(inputs(shape), dtype: .float32, terms: Self.terms(shape))
  }

  // Products of up to 4 are rounded before the exponential; weights, results and gradients are rounded after it.
  @Test("attention in bfloat16 errs by the rounding of its weights", arguments: shapes, [true, false])
  func bfloat16(shape: [Int], causal: Bool) {
    check(causal: causal).expectAgreement(inputs(shape), dtype: .bfloat16, terms: Self.terms(shape), roundings: 8)
  }

  @Test("attention over longer sequences falls back to libtorch with the same result")
  func long() {
    check(causal: true).expectAgreement(inputs([1, 1, 140, 8]), dtype: .float32, terms: Self.terms([1, 1, 140, 8]))
    check(causal: true).expectAgreement(
      inputs([1, 1, 520, 8]), dtype: .bfloat16, terms: Self.terms([1, 1, 520, 8]), roundings: 8)
  }

  @Test("the gradients of attention agree with finite differences", arguments: [true, false])
  func slopes(causal: Bool) {
    check(causal: causal).expectGradientsAreSlopes(inputs([2, 3, 5, 4]), terms: Self.terms([2, 3, 5, 4]))
  }

  @Test("causal attention ignores later positions")
  func causality() {
    let (q, k, v) = (inputs([2, 2, 9, 4])[0], inputs([2, 2, 9, 4])[1], inputs([2, 2, 9, 4])[2])
    let changed = v.clone()
    changed.narrowed(2, 5..<9).fill(1e6)
    let (a, b) = (
      attention(query: q, key: k, value: v, causal: true), attention(query: q, key: k, value: changed, causal: true)
    )
    #expect(a.narrowed(2, 0..<5).numbers == b.narrowed(2, 0..<5).numbers)
  }

  @Test("attention does not depend on the memory layout of its inputs")
  func layout() {
    let x = Generator(seed: 3).normal([2, 9, 3, 4])
    let (a, b) = (x.leaf(.float32), x.transposed(1, 2).contiguous().leaf(.float32))
    let view = a.transposed(1, 2)
    let (y, z) = (
      attention(query: view, key: view, value: view, causal: true), attention(query: b, key: b, value: b, causal: true)
    )
    #expect(y.rawBytes == z.rawBytes)
    y.sum().backward()
    z.sum().backward()
    #expect(a.gradient?.transposed(1, 2).numbers == b.gradient?.numbers)
  }

  @Test("the attention of the last positions equals their part of the whole", arguments: [1, 2])
  func lastPositions(keyHeads: Int) {
    let generator = Generator(seed: 4)
    let q = generator.normal([2, 2, 9, 4])
    let (k, v) = (generator.normal([2, keyHeads, 9, 4]), generator.normal([2, keyHeads, 9, 4]))
    let first = Tensor([0, 0, 2, 2, 2, 5, 5, 5, 8, 0, 0, 0, 0, 4, 4, 4, 4, 4].map(Int64.init), shape: [2, 9])
    for first in [nil, first] {
      let whole = attention(query: q, key: k, value: v, causal: true, from: first)
      for start in [1, 4, 7] {
        let part = attention(
          query: q.narrowed(2, start..<9), key: k, value: v, causal: true, from: first?.narrowed(1, start..<9))
        expectClose(part, whole.narrowed(2, start..<9), within: 1e-5)
      }
    }
  }
}
