import Torch

/// A latent → K token ids.
///
/// Linear → layers on the chunk → expanded and cut into K → layers on each token → RMSNorm → logits with the encoder's
/// embedding matrix.
final class ChunkDecoder: Module {
  @Submodule("latent_to_hidden") var toHidden: Linear
  @Submodule("decoder_layers") var layers: [AutoencoderLayer]
  @Submodule("expand_layer") var expand: Linear
  @Submodule("norm") var norm: RMSNorm
  private let configuration: AutoencoderConfiguration

  init(_ configuration: AutoencoderConfiguration, generator: Generator) {
    self.configuration = configuration
    let (h, deviation) = (configuration.hiddenSize, configuration.initializerRange)
    toHidden = Linear(configuration.latentSize, h, deviation: deviation, generator: generator)
    layers = (0..<configuration.decoderLayers).map { _ in AutoencoderLayer(configuration, generator: generator) }
    expand = Linear(h, configuration.chunkSize * h, deviation: deviation, generator: generator)
    norm = RMSNorm(h, epsilon: configuration.normEpsilon, device: generator.device)
  }

  /// The vectors that the embedding matrix turns into logits.
  ///
  /// - Parameter latents: [chunks, l].
  /// - Returns: [chunks·K, h].
  func callAsFunction(_ latents: Tensor) -> Tensor {
    finished(expanded(latents))
  }

  /// The first half, which sees whole chunks.
  ///
  /// - Parameter latents: [chunks, l].
  /// - Returns: a row for each token, [chunks·K, h], which ``finished(_:)`` takes in any selection.
  func expanded(_ latents: Tensor) -> Tensor {
    let network = RowNetwork(
      [.linear(toHidden)] + layers[..<(layers.count / 2)].flatMap(\.steps) + [.linear(expand)])
    return network(latents.to(toHidden.weight.dtype)).reshaped(-1, configuration.hiddenSize)
  }

  /// The second half, in which tokens do not see each other: [tokens, h] → [tokens, h].
  func finished(_ rows: Tensor) -> Tensor {
    let half = layers.count / 2
    return RowNetwork(layers[half..<2 * half].flatMap(\.steps) + [.norm(norm)])(rows)
  }
}
