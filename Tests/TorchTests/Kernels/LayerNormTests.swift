import Testing
import Torch

@Suite("LayerNorm")
struct LayerNormTests {
  private static let epsilon = 1e-3
  private static let shapes = [[1, 3], [1, 7], [3, 5], [2, 3, 16], [33, 127], [40, 64], [17, 200]]

  private let check = KernelCheck(seed: 1) {
    layerNorm($0[0], weight: $0[1], bias: $0[2], epsilon: epsilon)
  } reference: {
    let centred = $0[0] - $0[0].mean(-1, keepDimensions: true)
    let variance = centred.squared().mean(-1, keepDimensions: true)
    return centred * (variance + epsilon).power(-0.5) * $0[1] + $0[2]
  }

  /// Sums along a row for the value and for the gradient, and over rows for the weight's gradient.
  private static func terms(_ shape: [Int]) -> Int { 4 * shape[shape.count - 1] + shape.dropLast().reduce(1, *) + 8 }

  private func inputs(_ shape: [Int]) -> [Tensor] {
    let generator = Generator(seed: 2)
    let size = [shape[shape.count - 1]]
    return [
      generator.normal(shape, mean: 0.5, deviation: 2), generator.normal(size, mean: 1), generator.normal(size),
    ]
  }

  @Test("LayerNorm agrees with its formula, in value and gradients", arguments: shapes)
  func formula(shape: [Int]) {
    check.expectAgreement(inputs(shape), dtype: .float32, terms: Self.terms(shape))
  }

  @Test("LayerNorm in bfloat16 errs by one rounding", arguments: shapes)
  func bfloat16(shape: [Int]) {
    check.expectAgreement(inputs(shape), dtype: .bfloat16, terms: Self.terms(shape))
  }

  @Test("LayerNorm in other types falls back to libtorch's operations")
  func fallback() {
    check.expectAgreement(inputs([3, 5]), dtype: .float64, terms: Self.terms([3, 5]))
  }

  @Test("the gradients of LayerNorm agree with finite differences", arguments: [[3, 5], [5, 33]])
  func slopes(shape: [Int]) {
    check.expectGradientsAreSlopes(inputs(shape), terms: Self.terms(shape))
  }

  @Test("LayerNorm keeps its precision if the mean is large compared with the deviation")
  func offset() {
    let x = Generator(seed: 3).normal([4, 64])
    let plain = layerNorm(x, weight: .ones([64]), bias: .zeros([64]), epsilon: 1e-6)
    let shifted = layerNorm(x + 1000, weight: .ones([64]), bias: .zeros([64]), epsilon: 1e-6)
    // float32 represents numbers near 1000 to within 3e-5.
    expectClose(shifted, plain, within: 1e-4)
  }

  @Test("LayerNorm of no rows gives no rows and a zero gradient of the weight")
  func empty() {
    let (x, weight) = (Tensor.empty([0, 8]).leaf(.float32), Tensor.ones([8]).leaf(.float32))
    let y = layerNorm(x, weight: weight, bias: .zeros([8]), epsilon: 1e-6)
    #expect(y.shape == [0, 8])
    y.sum().backward()
    #expect(weight.gradient?.numbers == [Double](repeating: 0, count: 8))
  }
}
