import Torch

/// The continuous autoregressive language model (CALM): a Transformer that predicts the next chunk's latent vector.
///
/// K ids → K embeddings → input compression (or the chunk's latent: ``ModelInput``) → Transformer → hidden state →
/// generative head with noise → latent → the frozen autoencoder's decoder → K ids. Names and sizes are those of the
/// official checkpoints. Some heads (``HeadKind``) sample the K ids themselves and need no autoencoder.
public final class ContinuousLanguageModel: Module {
  @Submodule("transformer") package var backbone: Backbone
  @Submodule("embed_proj") package var compression: InputCompression?
  @Submodule("latent_proj") package var projection: LatentProjection?
  @Submodule package var head: any GenerativeHead
  @Submodule("auxiliary_projection") var auxiliary: Linear?
  /// The sizes and training constants.
  public let configuration: LanguageModelConfiguration
  /// The frozen autoencoder that encodes the targets and decodes the samples; nil for a head that samples tokens. It is
  /// not a submodule: its parameters are stored separately and not trained here.
  public let autoencoder: Autoencoder?
  private var latestDecoder: TokenDecoder?

  /// A model with initial weights.
  ///
  /// - Parameters:
  ///   - configuration: the sizes and training constants.
  ///   - autoencoder: the trained autoencoder; nil for a head that samples tokens.
  ///   - generator: generates the initial weights.
  /// - Precondition: the chunk, latent and vocabulary sizes equal the autoencoder's.
  public init(_ configuration: LanguageModelConfiguration, autoencoder: Autoencoder?, generator: Generator) {
    self.configuration = configuration
    self.autoencoder = autoencoder
    precondition(
      configuration.head.usesAutoencoder == (autoencoder != nil), "only a head that samples latents has an autoencoder")
    if let autoencoder {
      precondition(configuration.chunkSize == autoencoder.configuration.chunkSize, "chunk sizes differ")
      precondition(configuration.latentSize == autoencoder.configuration.latentSize, "latent sizes differ")
      autoencoder.setTrainable(false)
    }
    _head = Submodule(configuration.head.type.key)
    backbone = Backbone(
      configuration.transformer, vocabularySize: configuration.vocabularySize,
      padding: configuration.special.padding, generator: generator)
    compression = configuration.input.hasTokens ? InputCompression(configuration, generator: generator) : nil
    projection = configuration.input.hasLatents ? LatentProjection(configuration, generator: generator) : nil
    head = configuration.head.type.init(configuration, generator: generator)
    auxiliary = nil
    if configuration.head.usesAutoencoder && configuration.auxiliaryLossWeight > 0 {
      let (h, k) = (configuration.hiddenSize, configuration.chunkSize)
      let projection = Linear(h, k * h, generator: generator)
      SharedInitialization.apply(to: projection, chunkSize: k, generator: generator)
      auxiliary = projection
    }
  }

  /// The autoencoder's decoder with its quantized vocabulary. Quantization takes a while, so the decoder is kept until
  /// the vocabulary's weights change.
  ///
  /// - Precondition: the head samples latents.
  var tokenDecoder: TokenDecoder {
    guard let autoencoder else { preconditionFailure("a head that samples tokens has no decoder") }
    if let decoder = latestDecoder, decoder.isCurrent(for: autoencoder) { return decoder }
    let decoder = TokenDecoder(autoencoder)
    latestDecoder = decoder
    return decoder
  }

  /// The hidden state after each chunk, which predicts the next one.
  ///
  /// - Parameter ids: [batch, tokens], int64; a multiple of K tokens.
  /// - Returns: [batch, chunks, h].
  public func hiddenStates(_ ids: Tensor) -> Tensor {
    hiddenStates(ids, context: nil)
  }

  /// - Parameter latents: the latents of the chunks, [batch, chunks, l], for a model that reads latents; nil for the
  ///   means of the encoder.
  package func hiddenStates(_ ids: Tensor, latents: Tensor? = nil, context: Backbone.Context? = nil) -> Tensor {
    let first = configuration.transformer.documentStarts(
      of: ids, chunkSize: configuration.chunkSize, special: configuration.special, context: context)
    return backbone(inputs(ids, latents: latents), from: first, context: context)
  }

  /// The input of the Transformer: [batch, tokens] → [batch, chunks, h].
  func inputs(_ ids: Tensor, latents: Tensor?) -> Tensor {
    let (batch, chunks) = (ids.shape[0], ids.shape[1] / configuration.chunkSize)
    let ofTokens = compression.map { compression in
      compression(
        backbone.embedding(ids).reshaped(batch, chunks, configuration.chunkSize * configuration.hiddenSize))
    }
    let ofLatents = projection.map { projection in
      projection(latents ?? withoutGradients { encoded(ids).mean }).reshaped(batch, chunks, -1)
    }
    switch (ofTokens, ofLatents) {
    case (let tokens?, let latents?): return tokens + latents
    case (let one?, nil), (nil, let one?): return one
    case (nil, nil): preconditionFailure("the Transformer has no input")
    }
  }

  /// The latent of a chunk that was not sampled, [1, l].
  ///
  /// - Precondition: the model has an autoencoder.
  func encodedLatent(of tokens: [Int32]) -> Tensor {
    let ids = Tensor(
      tokens.map(Int64.init), shape: [1, tokens.count], device: backbone.embedding.weight.device)
    return withoutGradients { encoded(ids).mean.reshaped(1, -1) }
  }

  /// The latents of chunks: [rows, tokens] → [chunks, l].
  ///
  /// - Precondition: the model has an autoencoder.
  func encoded(_ ids: Tensor) -> LatentDistribution {
    guard let autoencoder else { preconditionFailure("a head that samples tokens has no latents") }
    return autoencoder.encode(ids)
  }
}
