import CALM
import Foundation

/// The settings of a run that trains the autoregressive baseline.
public struct TransformerSettings: RunSettings {
  /// The autoregressive baseline.
  public static let kind = ModelKind.transformer
  /// Metrics of prediction.
  public static let metrics = ["cross_entropy", "perplexity", "brier_lm"]

  /// The data, initial weights and device.
  public var inputs: RunInputs
  /// The settings of the training loop.
  public var training: TrainingSettings
  /// The configuration of the model.
  public var model: AutoregressiveConfiguration
  /// The preset given for the sizes; nil once its sizes have been adopted.
  private var preset: Preset?

  /// Creates settings of a Transformer.
  public init(
    model: AutoregressiveConfiguration, training: TrainingSettings = Self.defaultTraining,
    inputs: RunInputs = RunInputs()
  ) {
    (self.model, self.training, self.inputs) = (model, training, inputs)
  }

  /// The defaults.
  public init() {
    self.init(model: AutoregressiveConfiguration(vocabularySize: 1, transformer: TransformerShape()))
  }

  /// The default settings of the training loop.
  public static var defaultTraining: TrainingSettings {
    TrainingSettings(steps: 5000, batchSize: 16, bestMetric: metrics[0])
  }

  /// All settings, by group.
  public static let groups: [SettingGroup<Self>] =
    RunInputs.groups.map { $0.at(\.inputs) }
    + [SettingGroup("Preset", [TransformerShape.presetSetting(\.preset, as: \.autoregressive)])]
    + TransformerShape.groups.map { $0.at(\.model.transformer) }
    + [
      SettingGroup(
        "Output",
        [
          Setting(
            "tie_embeddings", \.model.tiesEmbeddings, .flag, "Share the embedding matrix with the output layer."
          ).ofModelSize
        ])
    ] + TrainingSettings.groups(metrics: metrics, hasTransformer: true).map { $0.at(\.training) }

  /// The defaults, with the sizes of the model `init_from` or of `preset` if given.
  public static func base(for given: GivenSettings) throws -> Self {
    var base = Self()
    if let path: String = given.value(of: "init_from") {
      base.model = try ModelFolder(URL(fileURLWithPath: path)).autoregressiveConfiguration()
      base.model.hasDocumentEnds = true
    } else if let preset = given.value(of: "preset", as: Preset.self)?.autoregressive {
      base.model.transformer = TransformerShape(ofPreset: preset.transformer)
    }
    return base
  }

  /// Derives the sizes that depend on the width.
  public mutating func deriveSizes(from base: Self, _ given: GivenSettings) {
    preset = nil
    model.transformer.derive(from: base.model.transformer, given)
  }

  /// Attention head counts that do not divide evenly.
  public func modelFaults(_ given: GivenSettings) -> [String] { model.transformer.faults(given) }

  /// Adopts the vocabulary size and special tokens of the data.
  public mutating func adopt(_ data: TrainingData) {
    (model.vocabularySize, model.special) = (data.tokenizer.vocabularySize, data.specialWithoutStandIn)
  }

  /// A new Transformer, or one with the weights of `initial`.
  public func newTask(from initial: ModelFolder?, _ parts: TaskParts) throws -> any TrainingTask {
    let transformer =
      try initial?.loadAutoregressiveModel(model, device: parts.device)
      ?? AutoregressiveModel(model, generator: parts.generator)
    return AutoregressiveTask(transformer, validation: parts.validation, tokenizer: parts.data.tokenizerFile)
  }

  /// The Transformer of a checkpoint.
  public func storedTask(in checkpoint: ModelFolder, _ parts: TaskParts) throws -> any TrainingTask {
    AutoregressiveTask(
      try checkpoint.loadAutoregressiveModel(device: parts.device), validation: parts.validation,
      tokenizer: parts.data.tokenizerFile)
  }
}
