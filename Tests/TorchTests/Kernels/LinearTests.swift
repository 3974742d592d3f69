import Testing
import Torch

@Suite("Linear function")
struct LinearTests {
  struct Size: Sendable {
    let rows: [Int], inputs: Int, outputs: Int
    let bias: Bool, residual: Bool
  }

  private static let sizes = [
    Size(rows: [1], inputs: 1, outputs: 1, bias: true, residual: true),
    Size(rows: [3, 5], inputs: 7, outputs: 6, bias: true, residual: true),
    Size(rows: [37], inputs: 64, outputs: 33, bias: true, residual: false),
    Size(rows: [2, 3, 4], inputs: 9, outputs: 18, bias: false, residual: true),
    Size(rows: [65], inputs: 16, outputs: 16, bias: false, residual: false),
  ]

  /// Products sum over inputs, and gradients over outputs and rows. The factor of 4 covers results that are differences
  /// of parts of twice their size.
  private static func terms(_ size: Size) -> Int {
    4 * (max(size.inputs, size.outputs, size.rows.reduce(1, *)) + 2)
  }

  private func check(_ size: Size) -> KernelCheck {
    KernelCheck(seed: 1) {
      linear($0[0], weight: $0[1], bias: size.bias ? $0[2] : nil, plus: size.residual ? $0.last : nil)
    } reference: {
      var y = matmul($0[0], $0[1].transposed())
      if size.bias { y = y + $0[2] }
      return size.residual ? y + $0[$0.count - 1] : y
    }
  }

  private func inputs(_ size: Size) -> [Tensor] {
    let generator = Generator(seed: 2)
    var inputs = [
      generator.normal(size.rows + [size.inputs]),
      generator.normal([size.outputs, size.inputs], deviation: 1 / Double(size.inputs).squareRoot()),
    ]
    if size.bias { inputs.append(generator.normal([size.outputs])) }
    if size.residual { inputs.append(generator.normal(size.rows + [size.outputs])) }
    return inputs
  }

  @Test("the linear function agrees with its formula, in value and gradients", arguments: sizes)
  func formula(size: Size) {
    check(size).expectAgreement(inputs(size), dtype: .float32, terms: Self.terms(size))
  }

  // bfloat16 rounds the product, and again the sum with bias and residual.
  @Test("the linear function in bfloat16 errs by two roundings", arguments: sizes)
  func bfloat16(size: Size) {
    check(size).expectAgreement(inputs(size), dtype: .bfloat16, terms: Self.terms(size), roundings: 2)
  }

  @Test("the linear function in float64 falls back to libtorch's operations")
  func fallback() {
    let size = Self.sizes[1]
    check(size).expectAgreement(inputs(size), dtype: .float64, terms: Self.terms(size))
  }

  @Test("the gradients of the linear function agree with finite differences", arguments: sizes)
  func slopes(size: Size) {
    check(size).expectGradientsAreSlopes(inputs(size), terms: Self.terms(size))
  }

  @Test("the linear function computes gradients only for inputs that require them")
  func frozen() {
    let x = Generator(seed: 3).normal([4, 5]).leaf(.float32)
    let weight = Generator(seed: 4).normal([6, 5])
    let bias = Generator(seed: 5).normal([6]).leaf(.float32)
    let y = linear(x, weight: weight, bias: bias, plus: .ones([4, 6]))
    y.sum().backward()
    #expect(weight.gradient == nil)
    expectClose(bias.gradient?.numbers ?? [], [Double](repeating: 4, count: 6), within: 1e-6)
    #expect(x.gradient?.shape == [4, 5])
  }

  @Test("the linear function supports a slice of a wider weight")
  func part() {
    let (x, wide) = (Generator(seed: 3).normal([2, 4, 5]).leaf(.float32), Generator(seed: 4).normal([6, 10]))
    let leaf = wide.leaf(.float32)
    let y = linear(x, weight: leaf.split(2, along: 1)[1])
    expectClose(y, matmul(x, wide.narrowed(1, 5..<10).contiguous().transposed()), within: 1e-6)
    y.sum().backward()
    #expect(leaf.gradient?.shape == [6, 10])
    #expect(leaf.gradient?.narrowed(1, 0..<5).numbers.allSatisfy { $0 == 0 } == true)
  }
}
