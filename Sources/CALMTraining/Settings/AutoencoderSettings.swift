import CALM
import Foundation

/// The settings of a run that trains an autoencoder.
public struct AutoencoderSettings: RunSettings {
  /// An autoencoder.
  public static let kind = ModelKind.autoencoder
  /// Accuracies of the reconstruction.
  public static let metrics = ["accuracy_noise_0.3", "accuracy"]
  /// An autoencoder predicts nothing.
  public static let scoresPredictions = false

  /// Data, initial weights, device.
  public var inputs: RunInputs
  /// Length, batches, rates, intervals.
  public var training: TrainingSettings
  /// The sizes.
  public var model: AutoencoderConfiguration

  /// Settings of an autoencoder, by default a small one.
  public init(
    model: AutoencoderConfiguration, training: TrainingSettings = Self.defaultTraining, inputs: RunInputs = RunInputs()
  ) {
    (self.model, self.training, self.inputs) = (model, training, inputs)
  }

  /// The defaults.
  public init() {
    self.init(model: AutoencoderConfiguration(vocabularySize: 1, latentSize: 64, hiddenSize: 256))
  }

  /// The default training.
  public static var defaultTraining: TrainingSettings {
    TrainingSettings(steps: 2000, batchSize: 8, bestMetric: metrics[0])
  }

  private var layers: Int {
    get { model.encoderLayers }
    set { (model.encoderLayers, model.decoderLayers) = (newValue, newValue) }
  }

  /// Everything that can be set.
  public static let groups: [SettingGroup<Self>] =
    RunInputs.groups.map { $0.at(\.inputs) }
    + [
      SettingGroup(
        "Autoencoder",
        [
          Setting("chunk_size", \.model.chunkSize, .integer(1...64), "K, the tokens of a chunk.").ofModelSize,
          Setting("latent_size", \.model.latentSize, .count, "The size of the latent vector.").ofModelSize,
          Setting("hidden_size", \.model.hiddenSize, .count, "The width of the layers.").ofModelSize,
          Setting(
            "intermediate_size", \.model.intermediateSize, .count, "The inner width of each layer.",
            default: "2.5 × hidden_size"
          ).ofModelSize,
          Setting(
            "layers", \.layers, .integer(2...1024), "Layers of the encoder and of the decoder, an even number."
          ).ofModelSize,
          Setting(
            "variational", \.model.isVariational, .flag,
            "Encode a chunk as a distribution; without it there is no KL term, and by default no noise."
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

  /// The defaults, or those with the model of `init_from`.
  public static func base(for given: GivenSettings) throws -> Self {
    var base = Self()
    if let path: String = given.value(of: "init_from") {
      base.model = try ModelFolder(URL(fileURLWithPath: path)).autoencoderConfiguration()
    }
    return base
  }

  /// Sets the inner width and the noise.
  public mutating func deriveSizes(from base: Self, _ given: GivenSettings) {
    let usual = AutoencoderConfiguration(
      vocabularySize: 1, hiddenSize: model.hiddenSize, isVariational: model.isVariational)
    if !given.has("intermediate_size") { model.intermediateSize = usual.intermediateSize }
    if !given.has("token_masking") { model.tokenMasking = usual.tokenMasking }
    if !given.has("latent_dropout") { model.latentDropout = usual.latentDropout }
  }

  /// Half of the layers work on tokens, half on chunks.
  public func modelFaults(_ given: GivenSettings) -> [String] {
    layers % 2 == 0
      ? [] : ["\(given.title(of: "layers")) must be even, not \(layers): half work on tokens, half on chunks"]
  }

  /// Takes over the vocabulary and its special tokens.
  public mutating func adopt(_ data: TrainingData) {
    (model.vocabularySize, model.special) = (data.tokenizer.vocabularySize, data.special)
  }

  /// A fresh autoencoder, or one with the weights of `initial`.
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
