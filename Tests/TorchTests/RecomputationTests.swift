import Testing
import Torch

@Suite("Gradient checkpointing")
struct RecomputationTests {
  private func parameters() -> (x: Tensor, weight: Tensor) {
    let generator = Generator(seed: 3)
    return (generator.normal([6, 16]).leaf(.float32), generator.normal([16, 16]).leaf(.float32))
  }

  @Test("gradient checkpointing changes results and gradients only by rounding, even through several parts")
  func sameGradients() {
    func gradients(_ wrap: (Tensor, @escaping (Tensor) -> Tensor) -> Tensor) -> [[Double]] {
      let (x, weight) = parameters()
      let part: (Tensor) -> Tensor = { silu(linear($0, weight: weight)) + $0 }
      let y = wrap(wrap(x, part), part)
      y.squared().sum().backward()
      return [y, x.gradient, weight.gradient].map { $0?.numbers ?? [] }
    }
    let plain = gradients { x, part in part(x) }
    let again = gradients { x, part in recomputed(x, part) }
    for (one, other) in zip(plain.joined(), again.joined()) { #expect(abs(one - other) <= 1e-4 * max(1, abs(one))) }
    #expect(plain[2].count == 256)
  }

  @Test("a checkpointed part runs once in each pass, and once if no gradients are recorded")
  func runs() {
    let (x, weight) = parameters()
    var count = 0
    let part: (Tensor) -> Tensor = {
      count += 1
      return linear($0, weight: weight)
    }
    let y = recomputed(x, part)
    #expect(count == 1)
    y.sum().backward()
    #expect(count == 2)
    #expect(!withoutGradients { recomputed(x, part) }.requiresGradient)
    #expect(count == 3)
  }

  @Test("a checkpointed part is released with its result")
  func lifetime() {
    final class Held {}
    weak var held: Held?
    do {
      let (x, weight) = parameters()
      let object = Held()
      held = object
      recomputed(x) { [object] in
        _ = object
        return linear($0, weight: weight)
      }.sum().backward()
    }
    #expect(held == nil)
  }
}

@Suite("Moving averages of weights")
struct MovingAverageTests {
  @Test("a moving average moves by 1 − d of the difference, while d grows from 1/10 to the decay")
  func formula() {
    let weight = Tensor([1, 2] as [Float])
    let average = MovingAverage(of: ["w": weight], decay: 0.5)
    var expected = [1.0, 2.0]
    for step in 1...20 {
      weight.copy(from: Tensor([Float(step), 0]))
      average.update(from: ["w": weight], step: step)
      let decay = min(0.5, Double(1 + step) / Double(10 + step))
      expected = [expected[0] * decay + Double(step) * (1 - decay), expected[1] * decay]
    }
    let found = average.values["w"]?.numbers ?? []
    #expect(found.count == expected.count)
    for (one, other) in zip(found, expected) { #expect(abs(one - other) < 1e-5 * max(1, abs(other))) }
  }

  @Test(
    "parameters have the values of the moving average inside the scope, and exactly their previous values afterwards")
  func scope() {
    final class Model: Module {
      @Parameter("w") var weight: Tensor
      init() { weight = Generator(seed: 1).normal([5]).to(.bfloat16).leaf(.bfloat16) }
    }
    let model = Model()
    let before = model.weight.numbers
    let average = MovingAverage(of: ["w": Tensor([1, 2, 3, 4, 5] as [Float])], decay: 0.9)
    let inside = average.used(by: model.namedParameters()) { model.weight.numbers }
    #expect(inside == [1, 2, 3, 4, 5])
    #expect(model.weight.numbers == before)
    #expect(model.weight.requiresGradient)
  }
}
