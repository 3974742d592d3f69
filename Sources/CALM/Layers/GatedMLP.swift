import Torch

/// SwiGLU (Shazeer, 2020): down(silu(gate(x))·up(x)), as Llama has it, or with another activation than SiLU.
final class GatedMLP: Module {
  @Submodule("gate_proj") var gate: Linear
  @Submodule("up_proj") var up: Linear
  @Submodule("down_proj") var down: Linear

  let activation: Activation

  init(
    hiddenSize: Int, intermediateSize: Int, activation: Activation, bias: Bool, deviation: Double?,
    generator: Generator
  ) {
    self.activation = activation
    gate = Linear(hiddenSize, intermediateSize, bias: bias, deviation: deviation, generator: generator)
    up = Linear(hiddenSize, intermediateSize, bias: bias, deviation: deviation, generator: generator)
    down = Linear(intermediateSize, hiddenSize, bias: bias, deviation: deviation, generator: generator)
  }

  /// The layer of rows, and the row that was kept added.
  var steps: [RowNetwork.Step] {
    [.gated(gate: gate, up: up, activation: activation), .linear(down, plusKept: true)]
  }

  /// The layer of x, and a residual added.
  func callAsFunction(_ x: Tensor, plus residual: Tensor) -> Tensor {
    down(activation(gate: gate(x), up: up(x)), plus: residual)
  }
}
