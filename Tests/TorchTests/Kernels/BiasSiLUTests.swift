import Testing
import Torch

@Suite("SiLU with a bias")
struct BiasSiLUTests {
  /// Samples, rows, size.
  private static let shapes = [[1, 1, 1], [3, 5, 7], [8, 2, 130], [2, 33, 16], [4, 0, 3]]

  private let check = KernelCheck(seed: 1) {
    silu($0[0], plus: $0[1])
  } reference: {
    let sum = $0[0] + $0[1]
    return sum / ((-sum).exp() + 1)
  }

  /// Roundings in a gradient: exponentials (within 2 units), sums, quotients and products, plus the samples or rows
  /// over which the summand's gradient sums.
  private static func terms(_ shape: [Int]) -> Int { 24 + shape[0] }

  private func inputs(_ shape: [Int]) -> [Tensor] {
    let generator = Generator(seed: 2)
    return [generator.normal(shape, deviation: 2), generator.normal([shape[1], shape[2]], deviation: 2)]
  }

  @Test("biased SiLU agrees with its formula, in value and gradients", arguments: shapes)
  func formula(shape: [Int]) {
    check.expectAgreement(inputs(shape), dtype: .float32, terms: Self.terms(shape))
  }

  @Test("biased SiLU in bfloat16 errs by one rounding", arguments: shapes)
  func bfloat16(shape: [Int]) {
    check.expectAgreement(inputs(shape), dtype: .bfloat16, terms: Self.terms(shape))
  }

  @Test(
    "biased SiLU supports a bias that all rows share", arguments: [[1, 1], [3, 5, 7], [70, 33], [0, 4]])
  func bias(shape: [Int]) {
    let generator = Generator(seed: 2)
    let inputs = [generator.normal(shape, deviation: 2), generator.normal([shape[shape.count - 1]], deviation: 2)]
    let terms = Self.terms([shape.dropLast().reduce(1, *)])
    for dtype in [DType.float32, .bfloat16, .float64] {
      check.expectAgreement(inputs, dtype: dtype, terms: terms)
    }
    check.expectGradientsAreSlopes(inputs, terms: terms)
  }

  @Test("biased SiLU in float64 falls back to libtorch's operations")
  func fallback() {
    check.expectAgreement(inputs([3, 5, 7]), dtype: .float64, terms: Self.terms([3, 5, 7]))
  }

  @Test("the gradients of biased SiLU agree with finite differences")
  func slopes() {
    check.expectGradientsAreSlopes(inputs([3, 5, 7]), terms: Self.terms([3, 5, 7]))
  }

  @Test("biased SiLU does not depend on the memory layout of its inputs")
  func layout() {
    let (x, shared) = (Generator(seed: 3).normal([9, 4, 6]), Generator(seed: 4).normal([9, 4]))
    let (a, b) = (x.leaf(.float32), x.transposed(0, 2).contiguous().leaf(.float32))
    let (y, z) = (
      silu(a.transposed(0, 2), plus: shared.transposed()), silu(b, plus: shared.transposed().contiguous())
    )
    #expect(y.rawBytes == z.rawBytes)
    y.sum().backward()
    z.sum().backward()
    #expect(a.gradient?.transposed(0, 2).numbers == b.gradient?.numbers)
  }
}
