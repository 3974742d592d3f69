import Testing
import Torch

@Suite("Gradients")
struct AutogradTests {
  private struct Interruption: Error {}

  @Test("gradients accumulate until they are cleared")
  func gradientAccumulation() {
    let x = Tensor([3] as [Float]).leaf(.float32)
    #expect(x.gradient == nil)
    x.squared().sum().backward()
    #expect(x.gradient?.numbers == [6])
    x.squared().sum().backward()
    #expect(x.gradient?.numbers == [12])
    x.gradient = nil
    #expect(x.gradient == nil)
  }

  @Test("withoutGradients disables recording, which resumes afterwards")
  func scope() {
    let x = Tensor([3] as [Float]).leaf(.float32)
    #expect(x.squared().requiresGradient)
    let inner = withoutGradients { withoutGradients { x.squared() } }
    #expect(!inner.requiresGradient)
    #expect(x.squared().requiresGradient)
  }

  @Test("withoutGradients restores the gradient mode when its body throws")
  func interruption() {
    let x = Tensor([3] as [Float]).leaf(.float32)
    #expect(throws: Interruption.self) { try withoutGradients { throw Interruption() } }
    #expect(x.squared().requiresGradient)
    withoutGradients {
      #expect(throws: Interruption.self) { try withoutGradients { throw Interruption() } }
      #expect(!x.squared().requiresGradient)
    }
  }

  @Test("a detached tensor shares elements and blocks gradients")
  func detachment() {
    let x = Tensor([3] as [Float]).leaf(.float32)
    #expect(x.detached().sharesStorage(with: x) && !x.detached().requiresGradient)
    (x * x.detached()).sum().backward()
    #expect(x.gradient?.numbers == [3])
  }

  @Test("exp, log, softmax and the other functions have their textbook values and gradients")
  func functions() {
    let generator = Generator(seed: 1)
    let inputs = [generator.normal([3, 5]), generator.normal([5], mean: 1), generator.normal([5])]
    KernelCheck(seed: 2) {
      layerNorm($0[0], weight: $0[1], bias: $0[2], epsilon: 1e-3)
    } reference: {
      let centred = $0[0] - $0[0].mean(-1, keepDimensions: true)
      let deviation = (centred.squared().mean(-1, keepDimensions: true) + 1e-3).squareRoot()
      return centred / deviation * $0[1] + $0[2]
    }.expectAgreement(inputs, dtype: .float32, terms: 64)
    KernelCheck(seed: 2) {
      linear($0[0], weight: $0[1], bias: $0[2])
    } reference: {
      matmul($0[0], $0[1].transposed()) + $0[2]
    }.expectAgreement(
      [generator.normal([2, 3, 5]), generator.normal([4, 5]), generator.normal([4])], dtype: .float32, terms: 64)
    KernelCheck(seed: 2) {
      silu($0[0]) + softmax($0[0]) + logSoftmax($0[0])
    } reference: {
      let powers = $0[0].exp()
      let sum = powers.sum(-1, keepDimensions: true)
      return $0[0] / ((-$0[0]).exp() + 1) + powers / sum + $0[0] - sum.log()
    }.expectAgreement([generator.normal([3, 5])], dtype: .float32, terms: 64)
  }

  @Test(
    "attention agrees with its formula, causally and with shared key heads", arguments: [1, 2, 4])
  func attentionFormula(keyHeads: Int) {
    let (batch, heads, length, size) = (2, 4, 7, 6)
    let generator = Generator(seed: 1)
    let inputs = [heads, keyHeads, keyHeads].map { generator.normal([batch, $0, length, size]) }
    let masked = (0..<length).flatMap { row in (0..<length).map { $0 > row ? -1e30 : 0 } }
    let mask = Tensor(masked, shape: [length, length])
    KernelCheck(seed: 2) {
      attention(query: $0[0], key: $0[1], value: $0[2], causal: true)
    } reference: {
      func spread(_ x: Tensor) -> Tensor {
        x.reshaped(batch, keyHeads, 1, length, size).expanded(-1, -1, heads / keyHeads, -1, -1)
          .reshaped(batch, heads, length, size)
      }
      let products = matmul($0[0], spread($0[1]).transposed()) / Double(size).squareRoot() + mask
      return matmul(softmax(products), spread($0[2]))
    }.expectAgreement(inputs, dtype: .float32, terms: 64)
  }

  @Test("the padding row of an embedding receives no gradient")
  func padding() {
    let weight = Generator(seed: 1).normal([4, 3]).leaf(.float32)
    let ids = Tensor([1, 0, 3, 1] as [Int64], shape: [2, 2])
    let rows = embedding(ids, weight: weight, padding: 0)
    #expect(rows.shape == [2, 2, 3])
    #expect(rows.selected(0, 1).selected(0, 0).numbers == weight.selected(0, 3).numbers)
    rows.sum().backward()
    #expect(weight.gradient?.sum(1).numbers == [0, 6, 0, 3])
  }
}
