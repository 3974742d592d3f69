import Torch

/// K token ids → the distribution of the chunk's latent. See the paper, section 2.
///
/// Embedding → layers at each token → the K vectors concatenated and squeezed into one → layers at each chunk → RMSNorm
/// → mean and log σ.
final class ChunkEncoder: Module {
  @Submodule("embed_tokens") var embedding: Embedding
  @Submodule("encoder_layers") var layers: [AutoencoderLayer]
  @Submodule("squeeze_layer") var squeeze: Linear
  @Submodule("norm") var norm: RMSNorm
  @Submodule("hidden_to_latent") var toLatent: Linear
  private let configuration: AutoencoderConfiguration

  init(_ configuration: AutoencoderConfiguration, generator: Generator) {
    self.configuration = configuration
    let (h, deviation) = (configuration.hiddenSize, configuration.initializerRange)
    embedding = Embedding(
      vocabulary: configuration.vocabularySize, size: h, deviation: deviation, generator: generator)
    layers = (0..<configuration.encoderLayers).map { _ in AutoencoderLayer(configuration, generator: generator) }
    squeeze = Linear(configuration.chunkSize * h, h, deviation: deviation, generator: generator)
    norm = RMSNorm(h, epsilon: configuration.normEpsilon, device: generator.device)
    toLatent = Linear(
      h, configuration.latentSize * (configuration.isVariational ? 2 : 1), deviation: deviation, generator: generator)
  }

  /// - Parameter ids: [chunks, K], int64.
  /// - Returns: the mean and log σ of each chunk, [chunks, l] each.
  func callAsFunction(_ ids: Tensor) -> LatentDistribution {
    let half = layers.count / 2
    let tokens = rowwise(embedding(ids)) { x in  // [chunks, K, h]
      layers[..<half].reduce(x) { x, layer in layer(x) }
    }
    let chunks = tokens.reshaped(-1, configuration.chunkSize * configuration.hiddenSize)  // [chunks, K·h]
    let latent = rowwise(chunks) { x in
      let squeezed = squeeze(x)  // [chunks, h]
      let hidden = layers[half..<2 * half].reduce(squeezed) { x, layer in layer(x) }
      return toLatent(norm(hidden))  // [chunks, 2l], or [chunks, l] of a deterministic autoencoder
    }.to(.float32)
    guard configuration.isVariational else { return LatentDistribution(mean: latent, logDeviation: nil) }
    let parts = latent.split(2)  // [chunks, l] each
    return LatentDistribution(mean: parts[0], logDeviation: parts[1])
  }
}
