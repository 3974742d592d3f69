import Torch

/// K token embeddings → the one vector that the Transformer sees: Linear, SiLU, Linear, LayerNorm.
package final class InputCompression: Module {
  @Submodule("0") var expand: Linear
  @Submodule("2") var squeeze: Linear
  @Submodule("3") var norm: LayerNorm

  init(_ configuration: LanguageModelConfiguration, generator: Generator) {
    let (h, deviation) = (configuration.hiddenSize, configuration.initializerRange)
    expand = Linear(configuration.chunkSize * h, 2 * h, deviation: deviation, generator: generator)
    squeeze = Linear(2 * h, h, deviation: deviation, generator: generator)
    norm = LayerNorm(h, epsilon: 1e-6, device: generator.device)
  }

  /// - Parameter embeddings: […, K·h] → […, h].
  package func callAsFunction(_ embeddings: Tensor) -> Tensor {
    norm(squeeze(silu(expand(embeddings))))
  }
}
