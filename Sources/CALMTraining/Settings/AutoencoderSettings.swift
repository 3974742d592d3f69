import CALM
import Foundation

/// The settings of a run that trains an autoencoder.
public struct AutoencoderSettings: RunSettings {
  /// An autoencoder.
  public static let kind = ModelKind.autoencoder
  /// Metrics of reconstruction accuracy.
  public static let metrics = ["accuracy_noise_0.3", "accuracy"]
  /// False: an autoencoder does not predict tokens.
  public static let scoresPredictions = false

  /// The data, initial weights and device.
  public var inputs: RunInputs
  /// The settings of the training loop.
  public var training: TrainingSettings
  /// The configuration of the autoencoder.
  public var model: AutoencoderConfiguration

  /// Creates settings, by default of a small autoencoder.
  public init(
    model: AutoencoderConfiguration, training: TrainingSettings = Self.defaultTraining, inputs: RunInputs = RunInputs()
  ) {
    (self.model, self.training, self.inputs) = (model, training, inputs)
  }

  /// The defaults.
  public init() {
    self.init(model: AutoencoderConfiguration(vocabularySize: 1, latentSize: 64, hiddenSize: 256))
  }

  /// The default settings of the training loop.
  public static var defaultTraining: TrainingSettings {
    TrainingSettings(steps: 2000, batchSize: 8, bestMetric: metrics[0])
  }

  private var layers: Int {
    get { model.encoderLayers }
    set { (model.encoderLayers, model.decoderLayers) = (newValue, newValue) }
  }

  /// All settings, by group.
  public static let groups: [SettingGroup<Self>] =
    RunInputs.groups.map { $0.at(\.inputs) }
    + [
      SettingGroup(
        "Autoencoder",
        [
          Setting("chunk_size", \.model.chunkSize, .integer(1...64), "K, tokens per chunk.").ofModelSize,
          Setting("latent_size", \.model.latentSize, .count, "Size of the latent vector.").ofModelSize,
          Setting("hidden_size", \.model.hiddenSize, .count, "Width of the layers.").ofModelSize,
          Setting(
            "intermediate_size", \.model.intermediateSize, .count, "Inner width of each layer.",
            default: "2.5 × hidden_size"
          ).ofModelSize,
          Setting(
            "layers", \.layers, .integer(2...1024), "Number of layers in the encoder and in the decoder; even."
          ).ofModelSize,
          Setting(
            "variational", \.model.isVariational, .flag,
            "Encode a chunk as a distribution; without it there is no KL term and, by default, no noise."
          ).ofModelSize,
          Setting(
            "token_masking", \.model.tokenMasking, .number(.probability),
            "Probability of masking an input token.", default: "0.15, or 0 without variational"),
          Setting(
            "latent_dropout", \.model.latentDropout, .number(.probability),
            "Probability of dropping an entry of the latent.", default: "0.15, or 0 without variational"),
          Setting(
            "kl_weight", \.model.klWeight, .number(.nonNegative), "Weight of the Kullback-Leibler (KL) term."
          ).only(with: "variational", .flag(true)),
          Setting(
            "kl_clamp", \.model.klClamp, .number(.nonNegative),
            "KL clipping threshold of a latent dimension (free bits), in nats; 0 disables it."
          ).only(with: "variational", .flag(true)),
        ])
    ] + TrainingSettings.groups(metrics: metrics, hasTransformer: false).map { $0.at(\.training) }

  /// The defaults, or the sizes of the model `init_from`.
  public static func base(for given: GivenSettings) throws -> Self {
    var base = Self()
    if let path: String = given.value(of: "init_from") {
      base.model = try ModelFolder(URL(fileURLWithPath: path)).autoencoderConfiguration()
    }
    return base
  }

  /// Derives the inner width and the noise.
  public mutating func deriveSizes(from base: Self, _ given: GivenSettings) {
    let usual = AutoencoderConfiguration(
      vocabularySize: 1, hiddenSize: model.hiddenSize, isVariational: model.isVariational)
    if !given.has("intermediate_size") { model.intermediateSize = usual.intermediateSize }
    if !given.has("token_masking") { model.tokenMasking = usual.tokenMasking }
    if !given.has("latent_dropout") { model.latentDropout = usual.latentDropout }
  }

  /// An odd number of layers: half of them process tokens, half chunks.
  public func modelFaults(_ given: GivenSettings) -> [String] {
    layers % 2 == 0
      ? [] : ["\(given.title(of: "layers")) must be even, not \(layers): half process tokens, half chunks"]
  }

  /// Adopts the vocabulary size and special tokens of the data.
  public mutating func adopt(_ data: TrainingData) {
    (model.vocabularySize, model.special) = (data.tokenizer.vocabularySize, data.special)
  }

  /// A new autoencoder, or one with the weights of `initial`.
  public func newTask(from initial: ModelFolder?, _ parts: TaskParts) throws -> any TrainingTask {
    let autoencoder =
      try initial?.loadAutoencoder(model, device: parts.device) ?? Autoencoder(model, generator: parts.generator)
    return AutoencoderTask(autoencoder, validation: parts.validation, tokenizer: parts.data.tokenizerFile)
  }

  /// The autoencoder of a checkpoint.
  public func storedTask(in checkpoint: ModelFolder, _ parts: TaskParts) throws -> any TrainingTask {
    AutoencoderTask(
      try checkpoint.loadAutoencoder(device: parts.device), validation: parts.validation,
      tokenizer: parts.data.tokenizerFile)
  }
}
