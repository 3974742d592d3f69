import Foundation
import Testing
import Torch

private final class Pair: Module {
  @Parameter("matrix") var matrix: Tensor
  @Parameter("vector") var vector: Tensor

  init(_ dtype: DType) {
    let generator = Generator(seed: 1)
    matrix = generator.normal([7, 19]).to(dtype)
    vector = generator.normal([5]).to(dtype)
    setTrainable(true)
  }
}

/// AdamW as in the paper, in float64.
private struct ReferenceAdamW {
  let settings: AdamW.Settings
  var value: [Double]
  let decay: Double
  var first: [Double], second: [Double], step = 0.0

  init(_ tensor: Tensor, _ settings: AdamW.Settings) {
    (self.settings, value) = (settings, tensor.numbers)
    decay = tensor.rank >= 2 ? settings.weightDecay : 0
    first = [Double](repeating: 0, count: value.count)
    second = first
  }

  mutating func update(_ gradient: [Double], learningRate: Double) {
    step += 1
    let (beta1, beta2) = (settings.beta1, settings.beta2)
    for i in value.indices {
      first[i] = beta1 * first[i] + (1 - beta1) * gradient[i]
      second[i] = beta2 * second[i] + (1 - beta2) * gradient[i] * gradient[i]
      let (mean, square) = (first[i] / (1 - pow(beta1, step)), second[i] / (1 - pow(beta2, step)))
      value[i] -= learningRate * (decay * value[i] + mean / (square.squareRoot() + settings.epsilon))
    }
  }
}

@Suite("AdamW")
struct AdamWTests {
  private static let settings = AdamW.Settings(beta1: 0.8, beta2: 0.9, epsilon: 1e-6, weightDecay: 0.3)

  private func setGradients(_ module: Pair, step: Int) {
    let generator = Generator(seed: UInt64(100 + step))
    for parameter in module.namedParameters() {
      parameter.tensor.gradient = generator.normal(parameter.tensor.shape).to(parameter.tensor.dtype)
    }
  }

  // float16 uses libtorch's operations; the other types use the kernel.
  @Test("A step counts as a change of the parameters", arguments: [DType.float32, .bfloat16])
  func changes(dtype: DType) {
    let module = Pair(dtype)
    let optimizer = AdamW(module.namedParameters(), settings: Self.settings)
    let before = module.namedParameters().map { TensorState(of: $0.tensor) }
    setGradients(module, step: 1)
    optimizer.update(learningRate: 0.1)
    for (state, parameter) in zip(before, module.namedParameters()) {
      #expect(!state.isCurrent(for: parameter.tensor))
      #expect(TensorState(of: parameter.tensor).isCurrent(for: parameter.tensor))
    }
  }

  @Test(
    "AdamW agrees with the formula in float64, and decays only matrices",
    arguments: [DType.float32, .bfloat16, .float16])
  func formula(dtype: DType) {
    let module = Pair(dtype)
    let optimizer = AdamW(module.namedParameters(), settings: Self.settings)
    var references = [module.matrix, module.vector].map { ReferenceAdamW($0, Self.settings) }
    for step in 1...40 {
      setGradients(module, step: step)
      let (rate, scale) = (0.05 / Double(step), step % 2 == 0 ? 0.5 : 1)
      for (index, parameter) in module.namedParameters().enumerated() {
        let gradient = (parameter.tensor.gradient?.numbers ?? []).map { $0 * scale }
        references[index].update(gradient, learningRate: rate)
      }
      optimizer.update(learningRate: rate, gradientScale: scale)
    }
    #expect(optimizer.step == 40)
    let masters = optimizer.masters
    for (parameter, reference) in zip(module.namedParameters(), references) {
      guard let master = masters[parameter.name] else {
        Issue.record("missing master of \(parameter.name)")
        continue
      }
      #expect(master.dtype == .float32)
      expectClose(master.numbers, reference.value, within: 3e-6, parameter.name)
      #expect(parameter.tensor.rawBytes == master.to(dtype).rawBytes)
      #expect(parameter.tensor.gradient == nil)
    }
  }

  @Test("AdamW's masters accumulate steps that are too small for the parameter's type")
  func smallSteps() {
    let module = Weight(Tensor.ones([4]).leaf(.bfloat16))
    let optimizer = AdamW(module.namedParameters(), settings: .init(weightDecay: 0))
    // Steps of 1e-3, below half the distance 2⁻⁸ to the next smaller number.
    for _ in 0..<10 {
      module.weight.gradient = Tensor.ones([4]).to(.bfloat16)
      optimizer.update(learningRate: 1e-3)
    }
    expectClose(module.weight.numbers, [Double](repeating: 0.99, count: 4), within: 0x1p-9)
  }

  @Test("AdamW starts from given masters instead of the rounded parameters")
  func givenMasters() {
    let module = Weight(Tensor([1] as [Float]).leaf(.bfloat16))
    let optimizer = AdamW(module.namedParameters(), masters: ["weight": Tensor([1.001] as [Float])])
    #expect(optimizer.masters["weight"]?.elements(as: Float.self) == [1.001])
  }

  @Test("an optimizer restored from its moments continues with the same bits", arguments: [DType.float32, .bfloat16])
  func restoring(dtype: DType) throws {
    let module = Pair(dtype)
    let optimizer = AdamW(module.namedParameters(), settings: Self.settings)
    func run(_ optimizer: AdamW, _ module: Pair, _ steps: ClosedRange<Int>) {
      for step in steps {
        setGradients(module, step: step)
        optimizer.update(learningRate: 0.01)
      }
    }
    run(optimizer, module, 1...3)
    let copy = Pair(dtype)
    for (target, source) in zip(copy.namedParameters(), module.namedParameters()) {
      withoutGradients { target.tensor.copy(from: source.tensor) }
    }
    let other = AdamW(
      copy.namedParameters(), masters: optimizer.masters.mapValues { $0.clone() }, settings: Self.settings)
    try other.restore(moments: optimizer.moments.mapValues { $0.clone() }, step: optimizer.step)
    run(optimizer, module, 4...6)
    run(other, copy, 4...6)
    for (a, b) in zip(module.namedParameters(), copy.namedParameters()) {
      #expect(a.tensor.rawBytes == b.tensor.rawBytes)
      #expect(optimizer.masters[a.name]?.rawBytes == other.masters[b.name]?.rawBytes)
    }
  }

  @Test("restoring moments that do not match the model throws an error with the moment's name")
  func wrongMoments() {
    let optimizer = AdamW(Pair(.float32).namedParameters())
    #expect(throws: OptimizerError.missing("matrix.first_moment")) { try optimizer.restore(moments: [:], step: 1) }
    var moments = optimizer.moments
    moments["vector.second_moment"] = .zeros([6])
    #expect(throws: OptimizerError.shape("vector.second_moment", found: [6], expected: [5])) {
      try optimizer.restore(moments: moments, step: 1)
    }
  }

  @Test("AdamW does not change parameters without a gradient or with training disabled")
  func untouched() {
    let module = Pair(.float32)
    let before = module.matrix.numbers
    module.vector.requiresGradient = false
    let optimizer = AdamW(module.namedParameters())
    #expect(Set(optimizer.masters.keys) == ["matrix"])
    optimizer.update(learningRate: 1)
    #expect(module.matrix.numbers == before)
    #expect(optimizer.gradientNorm() == 0)
  }

  @Test(
    "the gradient norm is the square root of the sum of all squares", arguments: [DType.float32, .bfloat16, .float16])
  func norm(dtype: DType) {
    let module = Pair(dtype)
    let optimizer = AdamW(module.namedParameters())
    setGradients(module, step: 1)
    let squares = module.namedParameters().flatMap { $0.tensor.gradient?.numbers ?? [] }.map { $0 * $0 }
    expectClose([optimizer.gradientNorm()], [squares.reduce(0, +).squareRoot()], within: 1e-6)
    module.vector.gradient = Tensor([1, .infinity, 0, 0, 0] as [Float]).to(dtype)
    #expect(optimizer.gradientNorm() == .infinity)
  }

  @Test("the norm of many large gradients neither overflows nor loses precision")
  func largeNorm() {
    // The sum of 200,000 squares of 1e30 overflows float32 and spans more than one block.
    let module = Weight(Tensor.zeros([200_000]).leaf(.float32))
    module.weight.gradient = .full([200_000], 1e30)
    expectClose([AdamW(module.namedParameters()).gradientNorm()], [1e30 * 200_000.0.squareRoot()], within: 1e-7)
  }

  @Test("a gradient that is transposed in memory updates the right elements")
  func layout() {
    let (a, b) = (Weight(Tensor.ones([3, 4]).leaf(.float32)), Weight(Tensor.ones([3, 4]).leaf(.float32)))
    let gradient = Generator(seed: 1).normal([4, 3])
    a.weight.gradient = gradient.transposed()
    b.weight.gradient = gradient.transposed().contiguous()
    for module in [a, b] { AdamW(module.namedParameters()).update(learningRate: 0.1) }
    #expect(a.weight.rawBytes == b.weight.rawBytes)
  }
}
