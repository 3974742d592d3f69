import Testing
import Torch

private final class Block: Module {
  @Parameter("weight") var weight: Tensor
  @Parameter("bias") var bias: Tensor?
  let size: Int

  init(_ size: Int, bias: Bool) {
    self.size = size
    weight = .ones([size, size])
    self.bias = bias ? .zeros([size]) : nil
    setTrainable(true)
  }
}

private final class Network: Module {
  @Submodule("layers") var layers: [Block]
  @Submodule("norm") var norm: RMSNorm
  @Parameter("scale") var scale: Tensor
  let note = "plain properties are not parameters"

  init() {
    layers = [Block(2, bias: true), Block(3, bias: false)]
    norm = RMSNorm(4)
    scale = Tensor(2)
    setTrainable(true)
  }
}

@Suite("Modules")
struct ModuleTests {
  @Test("a module lists its parameters by key in declaration order, except those that are nil")
  func names() {
    #expect(
      Network().namedParameters().map(\.name) == [
        "layers.0.weight", "layers.0.bias", "layers.1.weight", "norm.weight", "scale",
      ])
    #expect(Network().namedParameters(prefix: "a.").first?.name == "a.layers.0.weight")
    #expect(Network().parameterCount == 4 + 2 + 9 + 4 + 1)
  }

  @Test("setting a named parameter sets the property of the module")
  func replacement() {
    let network = Network()
    network.namedParameters()[2].tensor = .zeros([3, 3])
    #expect(network.layers[1].weight.numbers == [Double](repeating: 0, count: 9))
  }

  @Test("converting a module changes its type and keeps its values and trainability")
  func conversion() {
    let network = Network()
    network.norm.setTrainable(false)
    network.convert(to: .bfloat16)
    #expect(network.namedParameters().allSatisfy { $0.tensor.dtype == .bfloat16 })
    #expect(network.namedParameters().map(\.tensor.requiresGradient) == [true, true, true, false, true])
    #expect(network.scale.item() == 2)
  }

  @Test("clearing a module's gradients includes its submodules")
  func gradients() {
    let network = Network()
    (network.norm.weight.sum() + network.layers[0].weight.sum()).backward()
    #expect(network.norm.weight.gradient != nil && network.layers[0].weight.gradient != nil)
    network.clearGradients()
    #expect(network.namedParameters().allSatisfy { $0.tensor.gradient == nil })
  }

  @Test("layers apply the functions of their parameters")
  func layers() {
    let generator = Generator(seed: 1)
    let x = generator.normal([3, 4])
    let dense = Linear(4, 5, generator: generator)
    expectClose(dense(x), matmul(x, dense.weight.transposed()) + (dense.bias ?? .zeros([5])), within: 1e-6)
    #expect(Linear(4, 5, bias: false, generator: generator).namedParameters().map(\.name) == ["weight"])
    let table = Embedding(vocabulary: 6, size: 4, padding: 2, generator: generator)
    #expect(table(Tensor([2] as [Int64])).numbers == [0, 0, 0, 0])
    let norm = LayerNorm(4)
    expectClose(norm(x).mean(-1).numbers.map { $0 + 1 }, [1, 1, 1], within: 1e-6)
    expectClose(RMSNorm(4)(x).squared().mean(-1).numbers, [1, 1, 1], within: 1e-3)
  }
}
