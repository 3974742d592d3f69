import Torch

/// x + SwiGLU(RMSNorm(x)): the layer of encoder and decoder. Positions do not see each other.
final class AutoencoderLayer: Module {
  @Submodule("layernorm") var norm: RMSNorm
  @Submodule("mlp") var mlp: GatedMLP

  init(_ configuration: AutoencoderConfiguration, generator: Generator) {
    norm = RMSNorm(configuration.hiddenSize, epsilon: configuration.normEpsilon, device: generator.device)
    mlp = GatedMLP(
      hiddenSize: configuration.hiddenSize, intermediateSize: configuration.intermediateSize,
      activation: configuration.activation, bias: configuration.hasMLPBias,
      deviation: configuration.initializerRange, generator: generator)
  }

  /// What becomes of each position, h → h.
  var steps: [RowNetwork.Step] { [.keep, .norm(norm)] + mlp.steps }
}
