import Testing
import Torch

@Suite("SwiGLU")
struct SwiGLUTests {
  private static let shapes = [[1], [17], [3, 5, 7], [9, 1001], [0, 4]]

  private let check = KernelCheck(seed: 1) {
    swiGLU(gate: $0[0], up: $0[1])
  } reference: {
    $0[0] / ((-$0[0]).exp() + 1) * $0[1]
  }

  /// Roundings in a gradient: exponentials (within 2 units), sums, quotients and products.
  private static let roundings = 24

  private func inputs(_ shape: [Int]) -> [Tensor] {
    let generator = Generator(seed: 2)
    return [generator.normal(shape, deviation: 4), generator.normal(shape)]
  }

  @Test("SwiGLU agrees with its formula, in value and gradients", arguments: shapes)
  func formula(shape: [Int]) {
    check.expectAgreement(inputs(shape), dtype: .float32, terms: Self.roundings)
  }

  @Test("SwiGLU in bfloat16 errs by one rounding", arguments: shapes)
  func bfloat16(shape: [Int]) {
    check.expectAgreement(inputs(shape), dtype: .bfloat16, terms: Self.roundings)
  }

  @Test("SwiGLU of one tensor combines its halves and their bias", arguments: [[2], [3, 5, 14], [9, 202], [0, 4]])
  func halves(shape: [Int]) {
    let check = KernelCheck(seed: 1) {
      swiGLU($0[0], plus: $0[1])
    } reference: {
      let halves = ($0[0] + $0[1]).split(2)
      return halves[0] / ((-halves[0]).exp() + 1) * halves[1]
    }
    let x = Generator(seed: 2).normal(shape, deviation: 4)
    let bias = Generator(seed: 3).normal([shape[shape.count - 1]])
    // The bias's gradient sums over rows.
    let terms = Self.roundings + shape.dropLast().reduce(1, *)
    for dtype in [DType.float32, .bfloat16, .float64] {
      check.expectAgreement([x, bias], dtype: dtype, terms: terms)
    }
    check.expectGradientsAreSlopes([x, bias], terms: terms)
    // A slice of a wider tensor has gaps between its rows.
    let wide = Tensor.concatenated([x, x], along: -1).narrowed(-1, 0..<shape[shape.count - 1])
    #expect(swiGLU(wide, plus: bias).rawBytes == swiGLU(x, plus: bias).rawBytes)
  }

  @Test("SwiGLU in float64 falls back to libtorch's operations")
  func fallback() {
    check.expectAgreement(inputs([3, 5]), dtype: .float64, terms: Self.roundings)
  }

  @Test("the gradients of SwiGLU agree with finite differences")
  func slopes() {
    check.expectGradientsAreSlopes(inputs([5, 7]), terms: Self.roundings)
  }

  @Test("SwiGLU is finite and correct if the exponential overflows float32")
  func extremes() {
    let gate = Tensor([-1e30, -200, -100, -88, 0, 88, 100, 200, 1e30] as [Float])
    let up = Tensor.ones([9])
    let expected = gate.numbers.map { $0 < -80 ? 0 : $0 }
    expectClose(swiGLU(gate: gate, up: up).numbers.map { $0 / 1e30 }, expected.map { $0 / 1e30 }, within: 1e-6)
    let leaf = gate.leaf(.float32)
    swiGLU(gate: leaf, up: up).sum().backward()
    expectClose(leaf.gradient?.numbers ?? [], [0, 0, 0, 0, 0.5, 1, 1, 1, 1], within: 1e-6)
  }

  @Test("SwiGLU does not depend on the memory layout of its inputs")
  func layout() {
    let (gate, up) = (Generator(seed: 3).normal([30, 2, 17]), Generator(seed: 4).normal([17, 2, 30]))
    let (a, b) = (gate.leaf(.float32), gate.transposed(0, 2).contiguous().leaf(.float32))
    let (y, z) = (swiGLU(gate: a.transposed(0, 2), up: up), swiGLU(gate: b, up: up))
    #expect(y.rawBytes == z.rawBytes)
    y.sum().backward()
    z.sum().backward()
    #expect(a.gradient?.transposed(0, 2).numbers == b.gradient?.numbers)
  }
}
