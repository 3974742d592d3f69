import Torch

/// SwiGLU (Shazeer, 2020), with any activation in place of SiLU: down(activation(gate(x)) · up(x)).
final class GatedMLP: Module {
  @Submodule("gate_proj") var gate: Linear
  @Submodule("up_proj") var up: Linear
  @Submodule("down_proj") var down: Linear

  /// The activation of the gate.
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

  /// […, h] → […, h].
  func callAsFunction(_ x: Rows) -> Rows {
    let inner = activation(gate(x)) * up(x)  // […, intermediate]
    return down(inner)  // […, h]
  }
}
