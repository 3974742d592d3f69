import Torch

/// The layer of the encoder and the decoder: x + SwiGLU(RMSNorm(x)), at each position independently. See the paper,
/// section 2.
package final class AutoencoderLayer: Module {
  @Submodule("layernorm") var norm: RMSNorm
  @Submodule("mlp") var mlp: GatedMLP

  package init(_ configuration: AutoencoderConfiguration, generator: Generator) {
    norm = RMSNorm(configuration.hiddenSize, epsilon: configuration.normEpsilon, device: generator.device)
    mlp = GatedMLP(
      hiddenSize: configuration.hiddenSize, intermediateSize: configuration.intermediateSize,
      activation: configuration.activation, bias: configuration.hasMLPBias,
      deviation: configuration.initializerRange, generator: generator)
  }

  /// […, h] → […, h].
  package func callAsFunction(_ x: Rows) -> Rows { x + mlp(norm(x)) }
}
