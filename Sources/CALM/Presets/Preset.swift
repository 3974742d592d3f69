/// A named model: those of the paper, and a small one for measurements.
public enum Preset: String, CaseIterable, Sendable {
  /// The paper's CALM-M; K = 4 in all three.
  case calmM = "calm-m"
  /// The paper's CALM-L.
  case calmL = "calm-l"
  /// The paper's CALM-XL. Its sizes are not published. As in calm-m and calm-l, there are 16 layers, and the
  /// intermediate size is 8/3 of the hidden size, rounded up to a multiple of 64; a hidden size of 2,560 then gives
  /// 1.826 billion parameters, where the paper has 1.82.
  case calmXL = "calm-xl"
  /// The smallest of the paper's autoregressive baselines, the only one with published sizes. The other two have the
  /// sizes of calm-m and calm-l: with an untied output matrix they have 465.1 and 847.0 million parameters, where the
  /// paper has 465 and 849.
  case transformerS = "transformer-s"
  /// The baseline with the sizes of calm-m.
  case transformerM = "transformer-m"
  /// The baseline with the sizes of calm-l.
  case transformerL = "transformer-l"
  /// The paper's autoencoder.
  case autoencoder
  /// A model whose training step takes about a second on two cores.
  case small

  /// A preset's kind and sizes.
  public enum Model: Hashable, Sendable {
    /// A continuous language model with its autoencoder, if its head needs one.
    case continuous(LanguageModelConfiguration, AutoencoderConfiguration?)
    /// An autoencoder on its own.
    case autoencoder(AutoencoderConfiguration)
    /// An autoregressive Transformer.
    case autoregressive(AutoregressiveConfiguration)

    /// The cost of the model.
    public var cost: ModelCost {
      switch self {
      case .continuous(let model, let autoencoder): model.cost(autoencoder: autoencoder)
      case .autoencoder(let autoencoder): autoencoder.cost
      case .autoregressive(let model): model.cost
      }
    }
  }

  /// The vocabulary of the paper's models: Llama 3's and a padding token.
  private static let paperVocabulary = 128_257

  /// The model of this name.
  public var model: Model {
    switch self {
    case .calmM: Self.calm(hiddenSize: 1024, intermediateSize: 2752)
    case .calmL: Self.calm(hiddenSize: 1536, intermediateSize: 4096)
    case .calmXL: Self.calm(hiddenSize: 2560, intermediateSize: 6848)
    case .transformerS: Self.transformer(hiddenSize: 768, intermediateSize: 2048, layers: 12)
    case .transformerM: Self.transformer(hiddenSize: 1024, intermediateSize: 2752, layers: 16)
    case .transformerL: Self.transformer(hiddenSize: 1536, intermediateSize: 4096, layers: 16)
    case .autoencoder: .autoencoder(AutoencoderConfiguration(vocabularySize: Self.paperVocabulary))
    case .small: Self.smallModel
    }
  }

  /// The configuration of a continuous language model; nil for other models.
  public var continuous: LanguageModelConfiguration? {
    if case .continuous(let model, _) = model { model } else { nil }
  }

  /// The configuration of an autoregressive Transformer; nil for other models.
  public var autoregressive: AutoregressiveConfiguration? {
    if case .autoregressive(let model) = model { model } else { nil }
  }

  private static func calm(hiddenSize: Int, intermediateSize: Int) -> Model {
    .continuous(
      LanguageModelConfiguration(
        vocabularySize: paperVocabulary, hiddenSize: hiddenSize, intermediateSize: intermediateSize, layers: 16,
        attentionHeads: 16),
      AutoencoderConfiguration(vocabularySize: paperVocabulary))
  }

  private static func transformer(hiddenSize: Int, intermediateSize: Int, layers: Int) -> Model {
    .autoregressive(
      AutoregressiveConfiguration(
        vocabularySize: paperVocabulary,
        transformer: TransformerShape(
          hiddenSize: hiddenSize, intermediateSize: intermediateSize, layers: layers, attentionHeads: 16)))
  }

  private static var smallModel: Model {
    var model = LanguageModelConfiguration(
      vocabularySize: 8192, latentSize: 64, hiddenSize: 384, intermediateSize: 1024, layers: 8, attentionHeads: 6,
      headBlocks: 2)
    model.maximumPositions = 256
    return .continuous(
      model,
      AutoencoderConfiguration(vocabularySize: 8192, latentSize: 64, hiddenSize: 256, intermediateSize: 640))
  }
}
