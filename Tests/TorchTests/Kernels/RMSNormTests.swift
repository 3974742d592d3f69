import Testing
import Torch

@Suite("RMSNorm")
struct RMSNormTests {
  private static let epsilon = 1e-3
  private static let shapes = [[1, 2], [1, 7], [3, 5], [2, 3, 16], [33, 127], [40, 64], [17, 200]]

  private let check = KernelCheck(seed: 1) {
    rmsNorm($0[0], weight: $0[1], epsilon: epsilon)
  } reference: {
    $0[0] * ($0[0].squared().mean(-1, keepDimensions: true) + epsilon).power(-0.5) * $0[1]
  }

  /// Sums along a row for the value and for the gradient, and over rows for the weight's gradient.
  private static func terms(_ shape: [Int]) -> Int { 2 * shape[shape.count - 1] + shape.dropLast().reduce(1, *) + 8 }

  private func inputs(_ shape: [Int]) -> [Tensor] {
    let generator = Generator(seed: 2)
    return [generator.normal(shape, deviation: 2), generator.normal([shape[shape.count - 1]], mean: 1)]
  }

  @Test("RMSNorm agrees with its formula, in value and gradients", arguments: shapes)
  func formula(shape: [Int]) {
    check.expectAgreement(inputs(shape), dtype: .float32, terms: Self.terms(shape))
  }

  @Test("RMSNorm in bfloat16 errs by one rounding", arguments: shapes)
  func bfloat16(shape: [Int]) {
    check.expectAgreement(inputs(shape), dtype: .bfloat16, terms: Self.terms(shape))
  }

  @Test(
    "RMSNorm in other types falls back to libtorch's operations, which sum in float32",
    arguments: [DType.float16, .float64])
  func fallback(dtype: DType) {
    check.expectAgreement(
      inputs([3, 5]), dtype: dtype, terms: Self.terms([3, 5]), accumulator: .float32, roundings: 4)
  }

  @Test("the gradients of RMSNorm agree with finite differences", arguments: [[3, 5], [5, 33]])
  func slopes(shape: [Int]) {
    check.expectGradientsAreSlopes(inputs(shape), terms: Self.terms(shape))
  }

  @Test("RMSNorm of no rows gives no rows and a zero gradient of the weight")
  func empty() {
    let (x, weight) = (Tensor.empty([0, 8]).leaf(.float32), Tensor.ones([8]).leaf(.float32))
    let y = rmsNorm(x, weight: weight, epsilon: 1e-6)
    #expect(y.shape == [0, 8])
    y.sum().backward()
    #expect(x.gradient?.shape == [0, 8])
    #expect(weight.gradient?.numbers == [Double](repeating: 0, count: 8))
  }

  @Test("RMSNorm does not depend on the memory layout of its input")
  func layout() {
    let x = Generator(seed: 3).normal([12, 9])
    let weight = Generator(seed: 4).normal([12])
    let transposed = x.leaf(.float32)
    let copied = x.transposed().contiguous().leaf(.float32)
    let (a, b) = (
      rmsNorm(transposed.transposed(), weight: weight, epsilon: 1e-6), rmsNorm(copied, weight: weight, epsilon: 1e-6)
    )
    #expect(a.rawBytes == b.rawBytes)
    let direction = Generator(seed: 5).normal([12, 9]).transposed()
    a.backward(direction)
    b.backward(direction.contiguous())
    #expect(transposed.gradient?.transposed().numbers == copied.gradient?.numbers)
  }
}
