import CALM
import Foundation

/// The settings of a run that trains a continuous language model.
public struct LanguageModelSettings: RunSettings {
  /// A continuous language model.
  public static let kind = ModelKind.lm
  /// Metrics of prediction.
  public static let metrics = ["energy_score", "brier_lm", "head_loss"]

  /// The data, initial weights and device.
  public var inputs: RunInputs
  /// The settings of the training loop.
  public var training: TrainingSettings
  /// The configuration of the model.
  public var model: LanguageModelConfiguration
  /// The folder of the frozen autoencoder.
  public var autoencoder: String?
  /// The number of steps at the start that train on the auxiliary token loss alone.
  public var auxiliaryWarmupSteps: Int
  /// The number of steps after training that distill the head into one that samples in one step.
  public var distillationSteps = 0
  /// The preset given for the sizes; nil once its sizes have been adopted.
  private var preset: Preset?

  /// Creates settings of a language model on the autoencoder in a folder.
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

  /// The default settings of the training loop.
  public static var defaultTraining: TrainingSettings {
    TrainingSettings(steps: 5000, batchSize: 16, bestMetric: metrics[0])
  }

  /// The bound of the diffusion head's latents; 0 for none.
  private var latentBound: Double {
    get { model.latentBound ?? 0 }
    set { model.latentBound = newValue > 0 ? newValue : nil }
  }

  /// The posterior head's embedding size per token.
  private var embeddingSize: Int {
    get { model.latentSize / model.chunkSize }
    set { model.latentSize = newValue * model.chunkSize }
  }

  /// All settings, by group.
  public static let groups: [SettingGroup<Self>] =
    RunInputs.groups.map { $0.at(\.inputs) }
    + [
      SettingGroup(
        "Model",
        [
          Setting(
            "autoencoder", \.autoencoder, .text("path"), "Folder of the trained autoencoder.",
            default: "the one in init_from"
          ).only(with: "head", .text("energy"), .text("diffusion"), .text("flow")),
          Setting(
            "chunk_size", \.model.chunkSize, .integer(1...64),
            "K, tokens per chunk, if no autoencoder determines it."
          ).ofModelSize.only(with: "head", .text("posterior"), .text("tokens")),
          TransformerShape.presetSetting(\.preset, as: \.continuous),
          Setting(
            "input", \.model.input, .choice(of: ModelInput.self),
            "Transformer input for each chunk: its tokens, its latent from the autoencoder, or both."
          ).ofModelSize.only(with: "head", .text("energy"), .text("diffusion"), .text("flow")),
        ])
    ] + TransformerShape.groups.map { $0.at(\.model.transformer) }
    + [
      SettingGroup(
        "Head",
        [
          Setting(
            "head", \.model.head, .choice(of: HeadKind.self),
            "Generative head: samples latents in 1 step (energy), 100 (diffusion) or 10 (flow), or tokens in a few "
              + "steps (posterior) or one after the other (tokens)."
          ).ofModelSize,
          Setting("head_blocks", \.model.headBlocks, .count, "Number of blocks in the head.").ofModelSize,
          Setting(
            "embedding_size", \.embeddingSize, .count,
            "Embedding size per token of the posterior head."
          ).ofModelSize.only(with: "head", .text("posterior")),
          Setting(
            "path_samples", \.model.pathSamples, .integer(1...1024),
            "Points on the path per position in the posterior head's loss."
          ).only(with: "head", .text("posterior")),
          Setting(
            "time_power", \.model.timePower, .number(.above(0, through: 16)),
            "Exponent p of the posterior head's random times, which are proportional to uᵖ with a uniform u."
          ).only(with: "head", .text("posterior")),
          Setting(
            "path_stagger", \.model.pathStagger, .number(.unitInterval),
            "Time offset between the tokens of the posterior head: 0 for all at once, 1 for one after the other."
          ).only(with: "head", .text("posterior")),
          Setting(
            "solver_steps", \.model.solverSteps, .integer(1...1024),
            "Sampling steps of the posterior head, each of two evaluations."
          ).only(with: "head", .text("posterior")),
          Setting(
            "noise_size", \.model.noiseSize, .count, "Size of the energy head's noise."
          ).ofModelSize.only(with: "head", .text(HeadKind.energy.rawValue)),
          Setting(
            "latent_bound", \.latentBound, .number(.nonNegative),
            "Bound on the entries of a latent in each sampling step; 0 for none, as in the official code."
          ).only(with: "head", .text(HeadKind.diffusion.rawValue)),
          Setting(
            "energy_samples", \.model.samples, .integer(2...1024),
            "Model samples per position in the energy score; for diffusion and flow, targets per position."
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
            "Weight of the auxiliary token loss; 0 disables it, as in the paper.",
            default: "1, or 0 with head tokens"),
          Setting(
            "aux_warmup_steps", \.auxiliaryWarmupSteps, .countOrZero,
            "Number of first steps that train on the auxiliary token loss alone, at half the cost."),
          Setting(
            "distill_steps", \.distillationSteps, .countOrZero,
            "Number of steps after training that distill the head into one that samples in one step, in `student/`."
          ).only(with: "head", .text("posterior"), .text("tokens"), .text("flow")),
        ])
    ] + TrainingSettings.groups(metrics: metrics, hasTransformer: true).map { $0.at(\.training) }

  /// The defaults with the sizes of the model `init_from`, or with those of `autoencoder` and `preset`.
  public static func base(for given: GivenSettings) throws -> Self {
    var base = Self()
    if let head = given.value(of: "head", as: HeadKind.self) {
      base.model.auxiliaryLossWeight = usualAuxiliaryWeight(of: head)
      if !head.usesAutoencoder { base.training.bestMetric = "head_loss" }
    }
    if let path: String = given.value(of: "init_from") {
      let usual = base.model
      base.model = try ModelFolder(URL(fileURLWithPath: path)).languageModelConfiguration()
      base.model.hasDocumentEnds = true
      if !base.model.head.usesAutoencoder { base.training.bestMetric = "head_loss" }
      (base.model.samples, base.model.targetSamples) = (usual.samples, usual.targetSamples)
      base.model.exponent = usual.exponent
      base.model.auxiliaryLossWeight = usualAuxiliaryWeight(of: base.model.head)
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

  /// Adopts the chunk size, latent size and vocabulary size of an autoencoder.
  public mutating func adopt(_ autoencoder: AutoencoderConfiguration) {
    (model.chunkSize, model.latentSize) = (autoencoder.chunkSize, autoencoder.latentSize)
    model.vocabularySize = autoencoder.vocabularySize
  }

  /// The settings of the second phase, which distills the trained model; nil without one. The text, batches, precision
  /// and seed are those of the first.
  ///
  /// - Parameter trained: the folder of the trained model.
  /// - Throws: ``ModelError``.
  public func distillation(of trained: URL) throws -> DistillationSettings? {
    guard distillationSteps > 0 else { return nil }
    var phase = try DistillationSettings(teacher: trained)
    phase.inputs = inputs
    phase.inputs.initialModel = trained.path
    let usual = phase.training
    phase.training = training
    (phase.training.steps, phase.training.maximumTokens, phase.training.maximumSeconds) = (distillationSteps, nil, nil)
    (phase.training.schedule, phase.training.bestMetric) = (usual.schedule, usual.bestMetric)
    return phase
  }

  /// Derives the sizes that depend on the width.
  public mutating func deriveSizes(from base: Self, _ given: GivenSettings) {
    preset = nil
    if !model.head.usesAutoencoder {
      // The chunk size may have been set after the embedding size.
      model.latentSize = (given.value(of: "embedding_size", as: Int.self) ?? Self.usualEmbeddingSize) * model.chunkSize
    }
    model.transformer.derive(from: base.model.transformer, given)
  }

  /// Attention head counts that do not divide evenly, and an auxiliary warm-up without an auxiliary loss.
  public func modelFaults(_ given: GivenSettings) -> [String] {
    let needsLoss = auxiliaryWarmupSteps > 0 && model.auxiliaryLossWeight == 0
    return model.transformer.faults(given) + metricFaults(given)
      + (needsLoss ? ["\(given.title(of: "aux_warmup_steps")) needs an \(given.title(of: "aux_weight")) above 0"] : [])
  }

  /// The default of `aux_weight`: the loss of a tokens head is already a cross-entropy of the tokens.
  public static func usualAuxiliaryWeight(of head: HeadKind) -> Double { head == .tokens ? 0 : 1 }

  /// The default of `embedding_size`.
  private static let usualEmbeddingSize = 16

  /// A best metric that the head's evaluation does not have.
  private func metricFaults(_ given: GivenSettings) -> [String] {
    let missing = model.head.usesAutoencoder ? "head_loss" : "energy_score"
    guard training.bestMetric == missing else { return [] }
    return [
      "\(given.phrase("best_metric", .text(missing))) is not a metric of \(given.phrase("head", .text(model.head.rawValue)))"
    ]
  }

  /// Adopts the special tokens of the data, and the vocabulary size unless the autoencoder determines it.
  public mutating func adopt(_ data: TrainingData) {
    model.special = data.special
    if !model.head.usesAutoencoder { model.vocabularySize = data.tokenizer.vocabularySize }
  }

  /// A new language model, or one with the weights of `initial`.
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
