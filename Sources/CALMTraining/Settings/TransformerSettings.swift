import CALM
import Foundation

/// The settings of a run that trains the autoregressive baseline.
public struct TransformerSettings: RunSettings {
  /// A Transformer that predicts tokens.
  public static let kind = ModelKind.transformer
  /// Scores of the prediction.
  public static let metrics = ["cross_entropy", "perplexity", "brier_lm"]

  /// Data, initial weights, device.
  public var inputs: RunInputs
  /// Length, batches, rates, intervals.
  public var training: TrainingSettings
  /// The sizes.
  public var model: AutoregressiveConfiguration
  /// The name of sizes; nil once they are taken over.
  private var preset: Preset?

  /// Settings of a Transformer.
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

  /// The default training.
  public static var defaultTraining: TrainingSettings {
    TrainingSettings(steps: 5000, batchSize: 16, bestMetric: metrics[0])
  }

  /// Everything that can be set.
  public static let groups: [SettingGroup<Self>] =
    RunInputs.groups.map { $0.at(\.inputs) }
    + [SettingGroup("Preset", [TransformerShape.presetSetting(\.preset, as: \.autoregressive)])]
    + TransformerShape.groups.map { $0.at(\.model.transformer) }
    + [
      SettingGroup(
        "Output",
        [
          Setting(
            "tie_embeddings", \.model.tiesEmbeddings, .flag, "Use the embedding matrix for the logits too."
          ).ofModelSize
        ])
    ] + TrainingSettings.groups(metrics: metrics, hasTransformer: true).map { $0.at(\.training) }

  /// The defaults, or those with the model of `init_from` or the sizes of `preset`.
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

  /// Sets the sizes that follow from the width.
  public mutating func deriveSizes(from base: Self, _ given: GivenSettings) {
    preset = nil
    model.transformer.derive(from: base.model.transformer, given)
  }

  /// Counts of heads that do not divide what they must.
  public func modelFaults(_ given: GivenSettings) -> [String] { model.transformer.faults(given) }

  /// Takes over the vocabulary and its special tokens.
  public mutating func adopt(_ data: TrainingData) {
    (model.vocabularySize, model.special) = (data.tokenizer.vocabularySize, data.specialWithoutStandIn)
  }

  /// A fresh Transformer, or one with the weights of `initial`.
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
