import Torch

/// Maps every chunk of K tokens to one continuous vector, and back.
///
/// Its quality is the accuracy of reconstruction, including from latents with noise, because a language model does not
/// predict latents exactly. See the paper, section 2 (arXiv 2510.27688).
public final class Autoencoder: Module {
  @Submodule("encoder") var encoder: ChunkEncoder
  @Submodule("decoder") var decoder: ChunkDecoder
  /// The sizes and training constants.
  public let configuration: AutoencoderConfiguration

  /// An autoencoder with initial weights.
  public init(_ configuration: AutoencoderConfiguration, generator: Generator) {
    self.configuration = configuration
    encoder = ChunkEncoder(configuration, generator: generator)
    decoder = ChunkDecoder(configuration, generator: generator)
  }

  /// The latent distribution of each chunk.
  ///
  /// - Parameter ids: int64, any shape with a multiple of K elements, one chunk after another.
  public func encode(_ ids: Tensor) -> LatentDistribution {
    encoder(ids.reshaped(-1, configuration.chunkSize))
  }

  /// The most likely tokens of each latent.
  ///
  /// - Parameter latents: [chunks, l].
  /// - Returns: [chunks, K], int64.
  public func decode(_ latents: Tensor) -> Tensor {
    withoutGradients {
      linearArgmax(decoder(latents), weight: encoder.embedding.weight).reshaped(-1, configuration.chunkSize)
    }
  }

  /// The logits of each token of each chunk, [chunks, K, V].
  public func logits(_ latents: Tensor) -> Tensor {
    linear(decoder(latents), weight: encoder.embedding.weight)
      .reshaped(-1, configuration.chunkSize, configuration.vocabularySize)
  }
}
