import Foundation
import Testing
import Torch

@Suite("Rotary position embedding")
struct RotaryTests {
  private static let shapes = [[1, 1, 1, 2], [2, 3, 4, 10], [3, 17, 2, 64], [1, 40, 3, 34], [0, 3, 2, 4]]

  /// [length, size / 2], with Llama's frequencies.
  private static func angles(_ shape: [Int]) -> (cosine: Tensor, sine: Tensor) {
    let (length, half) = (shape[1], shape[3] / 2)
    let angles = (0..<length).flatMap { place in
      (0..<half).map { Double(place + 5) * pow(10_000, -Double($0) / Double(half)) }
    }
    return (
      Tensor(angles.map { Float(cos($0)) }, shape: [length, half]),
      Tensor(angles.map { Float(sin($0)) }, shape: [length, half])
    )
  }

  private func check(_ shape: [Int]) -> KernelCheck {
    let (cosine, sine) = (Self.angles(shape).cosine.onTestDevice, Self.angles(shape).sine.onTestDevice)
    return KernelCheck(seed: 1) {
      rotary($0[0], cosine: cosine, sine: sine)
    } reference: {
      let (c, s) = (cosine.to(.float64).reshaped(shape[1], 1, -1), sine.to(.float64).reshaped(shape[1], 1, -1))
      let halves = $0[0].split(2)
      return .concatenated([halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s], along: -1)
    }
  }

  @Test("rotary embedding rotates entry i with entry i + size/2, in value and gradients", arguments: shapes)
  func formula(shape: [Int]) {
    check(shape).expectAgreement([Generator(seed: 2).normal(shape)], dtype: .float32, terms: 4)
  }

  @Test("rotary embedding in bfloat16 errs by one rounding", arguments: shapes)
  func bfloat16(shape: [Int]) {
    check(shape).expectAgreement([Generator(seed: 2).normal(shape)], dtype: .bfloat16, terms: 4)
  }

  @Test("the gradients of rotary embedding agree with finite differences")
  func slopes() {
    check([2, 3, 4, 10]).expectGradientsAreSlopes([Generator(seed: 2).normal([2, 3, 4, 10])], terms: 4)
  }

  @Test("rotary embedding preserves norms, and makes products depend only on the distance")
  func isometry() {
    let shape = [1, 12, 1, 16]
    let (cosine, sine) = Self.angles(shape)
    let (query, key) = (Generator(seed: 3).normal([16]), Generator(seed: 4).normal([16]))
    func turned(_ x: Tensor) -> Tensor {
      rotary(x.reshaped(1, 1, 1, 16).expanded(1, 12, 1, 16), cosine: cosine, sine: sine).reshaped(12, 16)
    }
    let (queries, keys) = (turned(query), turned(key))
    expectClose(
      queries.squared().sum(1).numbers, [Double](repeating: query.squared().sum().item(), count: 12), within: 1e-5)
    let products = matmul(queries, keys.transposed()).numbers
    for row in 1..<12 {
      for column in 1..<12 {
        #expect(abs(products[row * 12 + column] - products[(row - 1) * 12 + column - 1]) < 1e-4)
      }
    }
  }

  @Test("rotary embedding does not depend on the memory layout of its input")
  func layout() {
    let shape = [2, 5, 3, 8]
    let (cosine, sine) = Self.angles(shape)
    let x = Generator(seed: 5).normal([2, 3, 5, 8])
    let (a, b) = (x.leaf(.float32), x.transposed(1, 2).contiguous().leaf(.float32))
    let (y, z) = (rotary(a.transposed(1, 2), cosine: cosine, sine: sine), rotary(b, cosine: cosine, sine: sine))
    #expect(y.rawBytes == z.rawBytes)
    let direction = Generator(seed: 6).normal(shape)
    y.backward(direction)
    z.backward(direction)
    #expect(a.gradient?.transposed(1, 2).numbers == b.gradient?.numbers)
  }
}
