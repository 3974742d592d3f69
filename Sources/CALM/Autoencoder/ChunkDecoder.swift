import Torch

/// A latent → the hidden states of its K tokens. See the paper, section 2.
///
/// Linear → layers at each chunk → expanded and split into K vectors → layers at each token → RMSNorm. The logits are
/// the products with the encoder's embedding matrix.
final class ChunkDecoder: Module {
  @Submodule("latent_to_hidden") var toHidden: Linear
  @Submodule("decoder_layers") var layers: [AutoencoderLayer]
  @Submodule("expand_layer") var expand: Linear
  @Submodule("norm") var norm: RMSNorm
  private let configuration: AutoencoderConfiguration
  /// Of the layers at each chunk, and of those at each token.
  private let (packedExpansion, packedFinish) = (PackedRowWeights(), PackedRowWeights())

  init(_ configuration: AutoencoderConfiguration, generator: Generator) {
    self.configuration = configuration
    let (h, deviation) = (configuration.hiddenSize, configuration.initializerRange)
    toHidden = Linear(configuration.latentSize, h, deviation: deviation, generator: generator)
    layers = (0..<configuration.decoderLayers).map { _ in AutoencoderLayer(configuration, generator: generator) }
    expand = Linear(h, configuration.chunkSize * h, deviation: deviation, generator: generator)
    norm = RMSNorm(h, epsilon: configuration.normEpsilon, device: generator.device)
  }

  /// The hidden states that the embedding matrix turns into logits.
  ///
  /// - Parameter latents: [chunks, l].
  /// - Returns: [chunks·K, h].
  func callAsFunction(_ latents: Tensor) -> Tensor {
    finished(expanded(latents))
  }

  /// The first half, at each chunk.
  ///
  /// - Parameter latents: [chunks, l].
  /// - Returns: a row for each token, [chunks·K, h]. ``finished(_:)`` accepts any selection of the rows.
  func expanded(_ latents: Tensor) -> Tensor {
    let half = layers.count / 2
    return rowwise(latents.to(toHidden.weight.dtype), packed: packedExpansion) { z in
      let hidden = layers[..<half].reduce(toHidden(z)) { x, layer in layer(x) }  // [chunks, h]
      return expand(hidden)  // [chunks, K·h]
    }.reshaped(-1, configuration.hiddenSize)
  }

  /// The second half, at each token: [tokens, h] → [tokens, h].
  func finished(_ rows: Tensor) -> Tensor {
    let half = layers.count / 2
    return rowwise(rows, packed: packedFinish) { x in
      norm(layers[half..<2 * half].reduce(x) { x, layer in layer(x) })
    }
  }
}
