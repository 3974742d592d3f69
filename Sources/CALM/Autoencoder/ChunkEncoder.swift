import Torch

/// K token ids → the latent's distribution.
///
/// Embedding → layers on each token → the K vectors side by side, squeezed into one → layers on the chunk → RMSNorm →
/// mean and log σ.
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
  func callAsFunction(_ ids: Tensor) -> LatentDistribution {
    let half = layers.count / 2
    let ofTokens = RowNetwork(layers[..<half].flatMap(\.steps))
    let ofChunks = RowNetwork(
      [.linear(squeeze)] + layers[half..<2 * half].flatMap(\.steps) + [.norm(norm), .linear(toLatent)])
    let tokens = ofTokens(embedding(ids))  // [chunks, K, h]
    let latent = ofChunks(tokens.reshaped(-1, configuration.chunkSize * configuration.hiddenSize)).to(.float32)
    guard configuration.isVariational else { return LatentDistribution(mean: latent, logDeviation: nil) }
    let parts = latent.split(2)
    return LatentDistribution(mean: parts[0], logDeviation: parts[1])
  }
}
