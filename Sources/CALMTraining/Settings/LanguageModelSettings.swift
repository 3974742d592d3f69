import CALM
import Foundation

/// The settings of a run that trains a continuous language model.
public struct LanguageModelSettings: RunSettings {
  /// A continuous language model.
  public static let kind = ModelKind.lm
  /// Scores of the prediction.
  public static let metrics = ["energy_score", "brier_lm", "head_loss"]

  /// Data, initial weights, device.
  public var inputs: RunInputs
  /// Length, batches, rates, intervals.
  public var training: TrainingSettings
  /// The sizes.
  public var model: LanguageModelConfiguration
  /// The folder of the frozen autoencoder.
  public var autoencoder: String?
  /// Steps at the beginning that train on the auxiliary token loss alone.
  public var auxiliaryWarmupSteps: Int
  /// The name of sizes; nil once they are taken over.
  private var preset: Preset?

  /// Settings of a language model on the autoencoder in a folder.
  public init(
    model: LanguageModelConfiguration, autoencoder: String?, auxiliaryWarmupSteps: Int = 0,
    training: TrainingSettings = Self.defaultTraining, inputs: RunInputs = RunInputs()
  ) {
    (self.model, self.autoencoder, self.auxiliaryWarmupSteps) = (model, autoencoder, auxiliaryWarmupSteps)
    (self.training, self.inputs) = (training, inputs)
  }

  /// The defaults.
  public init() {
    var model = LanguageModelConfiguration(vocabularySize: 1, headBlocks: 2, auxiliaryLossWeight: 1)
    model.transformer = TransformerShape()
    model.latentSize = Self.usualEmbeddingSize * model.chunkSize
    self.init(model: model, autoencoder: nil)
  }

  /// The default training.
  public static var defaultTraining: TrainingSettings {
    TrainingSettings(steps: 5000, batchSize: 16, bestMetric: metrics[0])
  }

  /// The bound of the diffusion head; 0 for none.
  private var latentBound: Double {
    get { model.latentBound ?? 0 }
    set { model.latentBound = newValue > 0 ? newValue : nil }
  }

  /// The size of a token's part of the posterior head's vector.
  private var embeddingSize: Int {
    get { model.latentSize / model.chunkSize }
    set { model.latentSize = newValue * model.chunkSize }
  }

  /// Everything that can be set.
  public static let groups: [SettingGroup<Self>] =
    RunInputs.groups.map { $0.at(\.inputs) }
    + [
      SettingGroup(
        "Model",
        [
          Setting(
            "autoencoder", \.autoencoder, .text("path"), "The folder of the trained autoencoder.",
            default: "that of init_from"
          ).only(with: "head", .text("energy"), .text("diffusion"), .text("flow")),
          Setting(
            "chunk_size", \.model.chunkSize, .integer(1...64),
            "K, the tokens of a chunk, if no autoencoder determines it."
          ).ofModelSize.only(with: "head", .text("posterior"), .text("tokens")),
          TransformerShape.presetSetting(\.preset, as: \.continuous),
          Setting(
            "input", \.model.input, .choice(of: ModelInput.self),
            "What the Transformer reads of each chunk: its tokens, the autoencoder's latents of it, or both."
          ).ofModelSize.only(with: "head", .text("energy"), .text("diffusion"), .text("flow")),
        ])
    ] + TransformerShape.groups.map { $0.at(\.model.transformer) }
    + [
      SettingGroup(
        "Head",
        [
          Setting(
            "head", \.model.head, .choice(of: HeadKind.self),
            "The generative head: it samples latents in 1 step (energy), 100 (diffusion) or 10 (flow), or tokens in a few "
              + "steps (posterior) or one after the other (tokens)."
          ).ofModelSize,
          Setting("head_blocks", \.model.headBlocks, .count, "Blocks of the head.").ofModelSize,
          Setting(
            "embedding_size", \.embeddingSize, .count, "The size of a token's part of the posterior head's vector."
          ).ofModelSize.only(with: "head", .text("posterior")),
          Setting(
            "path_samples", \.model.pathSamples, .integer(1...1024),
            "Points of the path per position in the posterior head's loss."
          ).only(with: "head", .text("posterior")),
          Setting(
            "time_power", \.model.timePower, .number(.above(0, through: 16)),
            "Power p of the posterior head's random times, proportional to uᵖ with a uniform u."
          ).only(with: "head", .text("posterior")),
          Setting(
            "path_stagger", \.model.pathStagger, .number(.unitInterval),
            "Distance in time between the tokens that the posterior head samples: 0 all at once, 1 one after the other."
          ).only(with: "head", .text("posterior")),
          Setting(
            "solver_steps", \.model.solverSteps, .integer(1...1024),
            "Steps in which the posterior head samples, each of two evaluations."
          ).only(with: "head", .text("posterior")),
          Setting(
            "noise_size", \.model.noiseSize, .count, "The size of the energy head's noise."
          ).ofModelSize.only(with: "head", .text(HeadKind.energy.rawValue)),
          Setting(
            "latent_bound", \.latentBound, .number(.nonNegative),
            "Bound of a latent's entries in each sampling step; 0 for none, as in the official code."
          ).only(with: "head", .text(HeadKind.diffusion.rawValue)),
          Setting(
            "energy_samples", \.model.samples, .integer(2...1024),
            "Model samples per position in the energy score; of diffusion and flow, targets per position."
          ).only(with: "head", .text("energy"), .text("diffusion"), .text("flow")),
          Setting(
            "target_samples", \.model.targetSamples, .count, "Target samples per position in the energy score."
          ).only(with: "head", .text("energy"), .text("diffusion"), .text("flow")),
          Setting(
            "energy_beta", \.model.exponent, .number(.above(0, through: 2)),
            "Exponent of the energy score; at 2 it is no longer strictly proper (it only compares means)."
          ).only(with: "head", .text("energy"), .text("diffusion"), .text("flow")),
          Setting(
            "aux_weight", \.model.auxiliaryLossWeight, .number(.nonNegative),
            "Weight of the auxiliary token loss; 0 leaves it out, as in the paper."),
          Setting(
            "aux_warmup_steps", \.auxiliaryWarmupSteps, .countOrZero,
            "First steps, which train on the auxiliary token loss alone at half the cost."),
        ])
    ] + TrainingSettings.groups(metrics: metrics, hasTransformer: true).map { $0.at(\.training) }

  /// The defaults with the sizes of `init_from`, or those of `autoencoder` and `preset`.
  public static func base(for given: GivenSettings) throws -> Self {
    var base = Self()
    if given.value(of: "head", as: HeadKind.self)?.usesAutoencoder == false { base.training.bestMetric = "head_loss" }
    if let path: String = given.value(of: "init_from") {
      let usual = base.model
      base.model = try ModelFolder(URL(fileURLWithPath: path)).languageModelConfiguration()
      base.model.hasDocumentEnds = true
      if !base.model.head.usesAutoencoder { base.training.bestMetric = "head_loss" }
      (base.model.samples, base.model.targetSamples) = (usual.samples, usual.targetSamples)
      (base.model.exponent, base.model.auxiliaryLossWeight) = (usual.exponent, usual.auxiliaryLossWeight)
      base.autoencoder = base.model.head.usesAutoencoder ? path : nil
      return base
    }
    if let preset = given.value(of: "preset", as: Preset.self)?.continuous {
      base.model.transformer = TransformerShape(ofPreset: preset.transformer)
      base.model.headBlocks = preset.headBlocks
    }
    if let path: String = given.value(of: "autoencoder") {
      base.adopt(try ModelFolder(URL(fileURLWithPath: path)).autoencoderConfiguration())
    }
    return base
  }

  /// Takes over chunk, latent and vocabulary of an autoencoder.
  public mutating func adopt(_ autoencoder: AutoencoderConfiguration) {
    (model.chunkSize, model.latentSize) = (autoencoder.chunkSize, autoencoder.latentSize)
    model.vocabularySize = autoencoder.vocabularySize
  }

  /// Sets the sizes that follow from the width.
  public mutating func deriveSizes(from base: Self, _ given: GivenSettings) {
    preset = nil
    if !model.head.usesAutoencoder {
      // The chunk size may have been set after the size of its parts.
      model.latentSize = (given.value(of: "embedding_size", as: Int.self) ?? Self.usualEmbeddingSize) * model.chunkSize
    }
    model.transformer.derive(from: base.model.transformer, given)
  }

  /// Counts of heads that do not divide what they must, and steps of a loss that is left out.
  public func modelFaults(_ given: GivenSettings) -> [String] {
    let needsLoss = auxiliaryWarmupSteps > 0 && model.auxiliaryLossWeight == 0
    return model.transformer.faults(given) + metricFaults(given)
      + (needsLoss ? ["\(given.title(of: "aux_warmup_steps")) needs an \(given.title(of: "aux_weight")) above 0"] : [])
  }

  /// The default of `embedding_size`.
  private static let usualEmbeddingSize = 16

  /// A metric that the head does not have.
  private func metricFaults(_ given: GivenSettings) -> [String] {
    let missing = model.head.usesAutoencoder ? "head_loss" : "energy_score"
    guard training.bestMetric == missing else { return [] }
    return [
      "\(given.phrase("best_metric", .text(missing))) is not a metric of \(given.phrase("head", .text(model.head.rawValue)))"
    ]
  }

  /// Takes over the special tokens, and the vocabulary unless it is the autoencoder's.
  public mutating func adopt(_ data: TrainingData) {
    model.special = data.special
    if !model.head.usesAutoencoder { model.vocabularySize = data.tokenizer.vocabularySize }
  }

  /// A fresh language model, or one with the weights of `initial`.
  public func newTask(from initial: ModelFolder?, _ parts: TaskParts) throws -> any TrainingTask {
    let own = autoencoder == inputs.initialModel ? nil : autoencoder.map { URL(fileURLWithPath: $0) }
    let language =
      try initial?.loadLanguageModel(model, autoencoder: own, generator: parts.generator)
      ?? ContinuousLanguageModel(
        model, autoencoder: model.head.usesAutoencoder ? loadAutoencoder(parts) : nil, generator: parts.generator)
    return task(language, parts)
  }

  /// The language model of a checkpoint.
  public func storedTask(in checkpoint: ModelFolder, _ parts: TaskParts) throws -> any TrainingTask {
    task(try checkpoint.loadLanguageModel(device: parts.device), parts)
  }

  private func task(_ language: ContinuousLanguageModel, _ parts: TaskParts) -> LanguageModelTask {
    LanguageModelTask(
      language, auxiliaryWarmupSteps: auxiliaryWarmupSteps, validation: parts.validation,
      tokenizer: parts.data.tokenizerFile)
  }

  private func loadAutoencoder(_ parts: TaskParts) throws -> Autoencoder {
    let folder = try ModelFolder(URL(fileURLWithPath: autoencoder ?? ""))
    let loaded = try folder.loadAutoencoder(device: parts.device)
    try parts.data.check(against: folder, vocabularySize: loaded.configuration.vocabularySize)
    return loaded
  }
}

extension HeadKind: SettingConvertible {}

extension ModelInput: SettingConvertible {}
