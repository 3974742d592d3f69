import CALM
import CALMReports
import CALMSupport
import CALMTraining
import Foundation

extension ExperimentPlan {
  private static let trainingKeys: Set = [
    "name", "steps", "batch_size", "block_tokens", "learning_rate", "warmup_steps", "ema",
  ]
  /// What an entry of `autoencoders` may say.
  static let autoencoderKeys = trainingKeys.union([
    "chunk", "latent", "hidden", "layers", "plain", "kl_weight", "kl_clamp", "token_masking", "latent_dropout",
  ])
  /// What an entry of `models` may say.
  static let transformerKeys = trainingKeys.union([
    "hidden", "intermediate", "layers", "heads", "key_value_heads", "separate_documents",
  ])
  /// What it may say besides with an `autoencoder`.
  static let headKeys: Set = [
    "autoencoder", "head", "head_blocks", "noise_size", "samples", "target_samples", "beta", "auxiliary_weight",
    "lead_in", "input",
  ]

  private static func settings(
    _ variant: SettingsGrid.Variant, chunkSize: Int, seed: UInt64
  ) throws(SettingsError) -> TrainingSettings {
    let sequenceTokens = try variant.integer("block_tokens", in: 16...1_000_000, or: 256)
    guard sequenceTokens % chunkSize == 0 else {
      throw SettingsError(
        "'block_tokens' \(sequenceTokens) of '\(variant.place)' is no multiple of the chunk of \(chunkSize)")
    }
    let steps = try variant.integer("steps")
    var settings = TrainingSettings(
      steps: steps, batchSize: try variant.integer("batch_size", or: 8), sequenceChunks: sequenceTokens / chunkSize,
      schedule: LearningRateSchedule(
        peak: try variant.number("learning_rate", in: 1e-8...1, or: 2e-3), shape: .stableDecay,
        warmupSteps: try variant.integer("warmup_steps", in: 0...steps, or: min(100, max(1, steps / 10)))))
    settings.seed = seed
    if variant.values["ema"] != nil {
      settings.emaDecay = try variant.number("ema", in: 0.01...0.999_999, or: 0.999)
    }
    settings.evaluationInterval = max(1, steps / 8)
    settings.checkpointInterval = max(1, steps / 4)
    settings.evaluationBlocks = 16
    settings.checkpointsToKeep = 1
    return settings
  }

  /// A training of an entry of `autoencoders`.
  static func autoencoder(_ variant: SettingsGrid.Variant, seed: UInt64) throws(SettingsError) -> Run {
    var configuration = AutoencoderConfiguration(
      vocabularySize: 1, chunkSize: try variant.integer("chunk", in: 1...64, or: 4),
      latentSize: try variant.integer("latent", or: 64), hiddenSize: try variant.integer("hidden", or: 256),
      isVariational: try !variant.flag("plain"))
    let layers = try variant.integer("layers", in: 2...64, or: 2)
    guard layers % 2 == 0 else { throw SettingsError("'layers' of '\(variant.place)' must be even") }
    (configuration.encoderLayers, configuration.decoderLayers) = (layers, layers)
    configuration.klWeight = try variant.number("kl_weight", in: 0...1e6, or: configuration.klWeight)
    configuration.klClamp = try variant.number("kl_clamp", in: 0...1e6, or: configuration.klClamp)
    configuration.tokenMasking = try variant.number("token_masking", in: 0...0.99, or: configuration.tokenMasking)
    configuration.latentDropout = try variant.number("latent_dropout", in: 0...0.99, or: configuration.latentDropout)
    return Run(
      name: try variant.text("name") + variant.label, model: .autoencoder(configuration),
      settings: try settings(variant, chunkSize: configuration.chunkSize, seed: seed))
  }

  private static func shape(
    _ variant: SettingsGrid.Variant, positions: Int
  ) throws(SettingsError) -> TransformerShape {
    let hidden = try variant.integer("hidden", or: 256)
    let heads = try variant.integer("heads", or: max(1, hidden / 32))
    guard hidden % heads == 0, hidden / heads % 2 == 0 else {
      throw SettingsError("'heads' \(heads) of '\(variant.place)' do not cut 'hidden' \(hidden) into even parts")
    }
    let keyValueHeads = try variant.integer("key_value_heads", or: heads)
    guard heads % keyValueHeads == 0 else {
      throw SettingsError("'key_value_heads' \(keyValueHeads) of '\(variant.place)' do not divide its \(heads) heads")
    }
    var shape = TransformerShape(
      hiddenSize: hidden,
      intermediateSize: variant.values["intermediate"] == nil ? nil : try variant.integer("intermediate"),
      layers: try variant.integer("layers", or: 4), attentionHeads: heads, keyValueHeads: keyValueHeads)
    shape.separatesDocuments = try variant.flag("separate_documents")
    // The context that FLOPs are counted at.
    shape.maximumPositions = positions
    return shape
  }

  /// A training of an entry of `models` without an autoencoder.
  static func transformer(_ variant: SettingsGrid.Variant, seed: UInt64) throws(SettingsError) -> Run {
    let settings = try settings(variant, chunkSize: 1, seed: seed)
    return Run(
      name: try variant.text("name") + variant.label,
      model: .autoregressive(try shape(variant, positions: settings.sequenceChunks)), settings: settings)
  }

  /// A training of an entry of `models` on an autoencoder of the family that its name stands for.
  static func continuous(
    _ variant: SettingsGrid.Variant, on autoencoder: Run, of family: String, seed: UInt64
  ) throws(SettingsError) -> Run {
    guard case .autoencoder(let sizes) = autoencoder.model else { throw SettingsError("'\(family)' is no autoencoder") }
    let settings = try settings(variant, chunkSize: sizes.chunkSize, seed: seed)
    var configuration = LanguageModelConfiguration(
      vocabularySize: 1, chunkSize: sizes.chunkSize, latentSize: sizes.latentSize,
      headBlocks: try variant.integer("head_blocks", or: 2),
      auxiliaryLossWeight: try variant.number("auxiliary_weight", in: 0...1e6, or: 1))
    configuration.transformer = try shape(variant, positions: settings.sequenceChunks)
    configuration.noiseSize = try variant.integer("noise_size", or: 64)
    configuration.samples = try variant.integer("samples", in: 2...10_000, or: 8)
    configuration.targetSamples = try variant.integer("target_samples", or: 100)
    configuration.exponent = try variant.number("beta", in: 0.01...2, or: 1)
    configuration.head = try known("head", in: variant, or: .energy)
    configuration.input = try known("input", in: variant, or: .tokens)
    let auxiliaryWarmupSteps = try variant.integer("lead_in", in: 0...settings.steps, or: 0)
    guard auxiliaryWarmupSteps == 0 || configuration.auxiliaryLossWeight > 0 else {
      throw SettingsError(
        "'lead_in' of '\(variant.place)' needs the auxiliary token loss, which an 'auxiliary_weight' of 0 leaves out")
    }
    return Run(
      name: try variant.text("name") + autoencoder.name.dropFirst(family.count) + variant.label,
      model: .continuous(configuration, autoencoder: autoencoder.name, auxiliaryWarmupSteps: auxiliaryWarmupSteps),
      settings: settings)
  }

  /// A setting that is one of a few words.
  private static func known<Value: RawRepresentable<String> & CaseIterable>(
    _ key: String, in variant: SettingsGrid.Variant, or usual: Value
  ) throws(SettingsError) -> Value {
    let name = try variant.text(key, or: usual.rawValue)
    guard let value = Value(rawValue: name) else {
      let words = Value.allCases.map(\.rawValue).joined(separator: ", ")
      throw SettingsError("'\(key)' of '\(variant.place)' must be one of \(words), not '\(name)'")
    }
    return value
  }
}
