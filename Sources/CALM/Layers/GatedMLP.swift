import Torch

/// SwiGLU (Shazeer, 2020): down(silu(gate(x))·up(x)), as Llama has it.
final class GatedMLP: Module {
  @Submodule("gate_proj") var gate: Linear
  @Submodule("up_proj") var up: Linear
  @Submodule("down_proj") var down: Linear

  init(hiddenSize: Int, intermediateSize: Int, deviation: Double?, generator: Generator) {
    gate = Linear(hiddenSize, intermediateSize, bias: false, deviation: deviation, generator: generator)
    up = Linear(hiddenSize, intermediateSize, bias: false, deviation: deviation, generator: generator)
    down = Linear(intermediateSize, hiddenSize, bias: false, deviation: deviation, generator: generator)
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    down(swiGLU(gate: gate(x), up: up(x)))
  }
}
