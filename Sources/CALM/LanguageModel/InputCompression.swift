import Torch

/// Compresses K token embeddings to the one vector that the Transformer reads: Linear, SiLU, Linear, LayerNorm. See the
/// paper, section 3.
package final class InputCompression: Module {
  @Submodule("0") var expand: Linear
  @Submodule("2") var squeeze: Linear
  @Submodule("3") var norm: LayerNorm

  init(_ configuration: LanguageModelConfiguration, generator: Generator) {
    let h = configuration.hiddenSize
    expand = Linear(configuration.chunkSize * h, 2 * h, generator: generator)
    squeeze = Linear(2 * h, h, generator: generator)
    norm = LayerNorm(h, epsilon: 1e-6, device: generator.device)
    SharedInitialization.apply(to: expand, squeeze, chunkSize: configuration.chunkSize, generator: generator)
  }

  /// - Parameter embeddings: the concatenated embeddings of each chunk, […, K·h].
  /// - Returns: […, h].
  package func callAsFunction(_ embeddings: Tensor) -> Tensor {
    rowwise(embeddings, fusing: .neighbors) { x in
      let inner = silu(expand(x))  // […, 2h]
      return norm(squeeze(inner))  // […, h]
    }
  }
}
