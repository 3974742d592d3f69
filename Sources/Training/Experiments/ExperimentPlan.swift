import CALM
import Files
import Foundation

/// What an experiment file asks for: text, trainings, and how the results are measured.
///
/// ```json
/// {
///   "tales": {"bytes": 2000000, "vocabulary": 512},
///   "evaluation": {"block_tokens": 256, "blocks": 16, "samples": 4},
///   "autoencoders": [{"name": "ae", "chunk": [2, 4], "latent": 32, "hidden": 128, "steps": 600}],
///   "models": [
///     {"name": "calm", "autoencoder": "ae", "head": ["energy", "flow"], "hidden": 128, "layers": 4, "steps": 500},
///     {"name": "transformer", "hidden": 128, "layers": 4, "steps": 500}
///   ]
/// }
/// ```
///
/// A list stands for one training for each of its entries; a model on an autoencoder that is a list is trained on each.
public struct ExperimentPlan: Sendable {
  /// Where the text comes from.
  public enum Source: Sendable, Equatable {
    /// The built-in tales.
    case tales(bytes: Int, vocabulary: Int)
    /// A folder that `calm data prepare` made.
    case data(String)
  }

  /// One training.
  public struct Run: Sendable {
    /// What is trained; sizes of the text and of an autoencoder are filled in when they are known.
    public enum Model: Sendable {
      /// An autoencoder of these sizes.
      case autoencoder(AutoencoderConfiguration)
      /// With the name of the autoencoder's run, and the steps of ``LanguageModelTask``'s lead-in.
      case continuous(LanguageModelConfiguration, autoencoder: String, leadIn: Int)
      /// An autoregressive Transformer of this shape.
      case autoregressive(TransformerShape)
    }

    /// The name of its folder and in the tables.
    public let name: String
    /// What is trained.
    public let model: Model
    /// How.
    public let settings: TrainingSettings

    /// K.
    public var chunkSize: Int {
      switch model {
      case .autoencoder(let configuration): configuration.chunkSize
      case .continuous(let configuration, _, _): configuration.chunkSize
      case .autoregressive: 1
      }
    }
  }

  /// Where the text comes from.
  public let source: Source
  /// Tokens in a block of the evaluation.
  public let blockTokens: Int
  /// Blocks evaluated.
  public let blocks: Int
  /// Samples a position.
  public let samples: Int
  /// Decides everything random.
  public let seed: UInt64
  /// The trainings, each after those that it needs.
  public let runs: [Run]

  /// Reads a YAML or JSON file and refuses whatever could not be run, before anything runs.
  ///
  /// - Throws: ``ExperimentError/invalid(file:reason:)``, or an error of reading the file.
  public init(contentsOf url: URL) throws {
    let settings = try SettingsFile.read(url)
    do {
      try self.init(settings)
    } catch let error as SettingsError {
      throw ExperimentError.invalid(file: url.path, reason: error.reason)
    }
  }

  private init(_ root: JSONValue) throws {
    try Self.checkKeys(of: root)
    source = try Self.source(root)
    guard let seed = UInt64(exactly: root["seed"].map { $0.integer ?? -1 } ?? 1) else {
      throw SettingsError("'seed' must be a whole number, 0 or more")
    }
    self.seed = seed
    let evaluation = try Self.single(
      root["evaluation"] ?? .object([]), at: "evaluation", known: ["block_tokens", "blocks", "samples"])
    blockTokens = try evaluation.integer("block_tokens", in: 16...1_000_000, or: 256)
    blocks = try evaluation.integer("blocks", or: 32)
    samples = try evaluation.integer("samples", in: 2...10_000, or: 4)

    var runs: [Run] = []
    /// The runs that each autoencoder of the file stands for.
    var families: [String: [Run]] = [:]
    for (index, entry) in try Self.list("autoencoders", of: root).enumerated() {
      let grid = try SettingsGrid(entry, at: "autoencoders[\(index)]", known: Self.autoencoderKeys)
      for variant in grid.variants {
        let run = try Self.autoencoder(variant, seed: seed)
        families[try variant.text("name"), default: []].append(run)
        runs.append(run)
      }
    }
    for (index, entry) in try Self.list("models", of: root).enumerated() {
      let place = "models[\(index)]"
      let isContinuous = entry["autoencoder"] != nil
      let known = Self.transformerKeys.union(isContinuous ? Self.headKeys : [])
      for variant in try SettingsGrid(entry, at: place, known: known).variants {
        guard isContinuous else {
          runs.append(try Self.transformer(variant, seed: seed))
          continue
        }
        let name = try variant.text("autoencoder")
        guard let family = families[name] else {
          throw SettingsError("'\(place)' names the autoencoder '\(name)', which is not among 'autoencoders'")
        }
        for autoencoder in family { runs.append(try Self.continuous(variant, on: autoencoder, of: name, seed: seed)) }
      }
    }
    if runs.isEmpty { throw SettingsError("there is nothing to train in 'autoencoders' and 'models'") }
    for run in runs {
      guard blockTokens % run.chunkSize == 0 else {
        throw SettingsError(
          "'block_tokens' \(blockTokens) of 'evaluation' is no multiple of the \(run.chunkSize) of '\(run.name)'")
      }
      if case .autoencoder = run.model { continue }
      guard min(blockTokens / run.chunkSize, run.settings.blockChunks) >= 2 else {
        throw SettingsError("the 'block_tokens' of '\(run.name)' and of 'evaluation' must hold two chunks or more")
      }
    }
    let names = runs.map(\.name)
    if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw SettingsError("two trainings are named '\(twice)'; give one another 'name'")
    }
    if let bad = names.first(where: { $0.contains("/") || $0.hasPrefix(".") || $0.isEmpty }) {
      throw SettingsError("'\(bad)' cannot name a folder")
    }
    self.runs = runs
  }

  private static func checkKeys(of root: JSONValue) throws(SettingsError) {
    let keys: Set = ["tales", "data", "seed", "evaluation", "autoencoders", "models"]
    guard let members = root.object else {
      throw SettingsError("must be an object with \(keys.sorted().joined(separator: ", "))")
    }
    var seen: Set<String> = []
    for member in members {
      guard keys.contains(member.key) else {
        throw SettingsError("the unknown key '\(member.key)'; there are \(keys.sorted().joined(separator: ", "))")
      }
      guard seen.insert(member.key).inserted else { throw SettingsError("'\(member.key)' stands there twice") }
    }
  }

  private static func list(_ key: String, of root: JSONValue) throws(SettingsError) -> [JSONValue] {
    guard let value = root[key], !value.isNull else { return [] }
    guard let entries = value.array else { throw SettingsError("'\(key)' must be a list") }
    return entries
  }

  private static func source(_ root: JSONValue) throws(SettingsError) -> Source {
    switch (root["tales"], root["data"]) {
    case (let tales?, nil):
      let settings = try single(tales, at: "tales", known: ["bytes", "vocabulary"])
      return .tales(
        bytes: try settings.integer("bytes", in: 100_000...1_000_000_000, or: 2_000_000),
        vocabulary: try settings.integer("vocabulary", in: 300...65_536, or: 512))
    case (nil, .string(let path)): return .data(path)
    default: throw SettingsError("name the text by one of 'tales', an object, and 'data', a folder")
    }
  }

  private static func single(
    _ value: JSONValue, at place: String, known: Set<String>
  ) throws(SettingsError) -> SettingsGrid.Variant {
    let variants = try SettingsGrid(value, at: place, known: known).variants
    guard variants.count == 1 else { throw SettingsError("'\(place)' takes no lists") }
    return variants[0]
  }
}

// MARK: One training

extension ExperimentPlan {
  private static let trainingKeys: Set = ["name", "steps", "batch", "block_tokens", "learning_rate"]
  private static let autoencoderKeys = trainingKeys.union([
    "chunk", "latent", "hidden", "layers", "plain", "kl_weight", "kl_clamp", "token_masking", "latent_dropout",
  ])
  private static let transformerKeys = trainingKeys.union(["hidden", "intermediate", "layers", "heads"])
  private static let headKeys: Set = [
    "autoencoder", "head", "head_blocks", "noise_size", "samples", "target_samples", "beta", "auxiliary_weight",
    "lead_in", "input",
  ]

  private static func settings(
    _ variant: SettingsGrid.Variant, chunkSize: Int, seed: UInt64
  ) throws(SettingsError) -> TrainingSettings {
    let blockTokens = try variant.integer("block_tokens", in: 16...1_000_000, or: 256)
    guard blockTokens % chunkSize == 0 else {
      throw SettingsError(
        "'block_tokens' \(blockTokens) of '\(variant.place)' is no multiple of the chunk of \(chunkSize)")
    }
    let steps = try variant.integer("steps")
    var settings = TrainingSettings(
      steps: steps, batchSize: try variant.integer("batch", or: 8), blockChunks: blockTokens / chunkSize,
      schedule: LearningRateSchedule(
        peak: try variant.number("learning_rate", in: 1e-8...1, or: 2e-3), shape: .stableDecay,
        warmupSteps: min(100, max(1, steps / 10))))
    settings.seed = seed
    settings.evaluationInterval = max(1, steps / 8)
    settings.checkpointInterval = max(1, steps / 4)
    settings.evaluationBlocks = 16
    settings.keptCheckpoints = 1
    return settings
  }

  private static func autoencoder(_ variant: SettingsGrid.Variant, seed: UInt64) throws(SettingsError) -> Run {
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
    var shape = TransformerShape(
      hiddenSize: hidden,
      intermediateSize: variant.values["intermediate"] == nil ? nil : try variant.integer("intermediate"),
      layers: try variant.integer("layers", or: 4), attentionHeads: heads)
    // The context that FLOPs are counted at.
    shape.maximumPositions = positions
    return shape
  }

  private static func transformer(_ variant: SettingsGrid.Variant, seed: UInt64) throws(SettingsError) -> Run {
    let settings = try settings(variant, chunkSize: 1, seed: seed)
    return Run(
      name: try variant.text("name") + variant.label,
      model: .autoregressive(try shape(variant, positions: settings.blockChunks)), settings: settings)
  }

  private static func continuous(
    _ variant: SettingsGrid.Variant, on autoencoder: Run, of family: String, seed: UInt64
  ) throws(SettingsError) -> Run {
    guard case .autoencoder(let sizes) = autoencoder.model else { throw SettingsError("'\(family)' is no autoencoder") }
    let settings = try settings(variant, chunkSize: sizes.chunkSize, seed: seed)
    var configuration = LanguageModelConfiguration(
      vocabularySize: 1, chunkSize: sizes.chunkSize, latentSize: sizes.latentSize,
      headBlocks: try variant.integer("head_blocks", or: 2),
      auxiliaryLossWeight: try variant.number("auxiliary_weight", in: 0...1e6, or: 1))
    configuration.transformer = try shape(variant, positions: settings.blockChunks)
    configuration.noiseSize = try variant.integer("noise_size", or: 64)
    configuration.samples = try variant.integer("samples", in: 2...10_000, or: 8)
    configuration.targetSamples = try variant.integer("target_samples", or: 100)
    configuration.exponent = try variant.number("beta", in: 0.01...2, or: 1)
    configuration.head = try known("head", in: variant, or: .energy)
    configuration.input = try known("input", in: variant, or: .tokens)
    let leadIn = try variant.integer("lead_in", in: 0...settings.steps, or: 0)
    guard leadIn == 0 || configuration.auxiliaryLossWeight > 0 else {
      throw SettingsError(
        "'lead_in' of '\(variant.place)' needs the auxiliary token loss, which an 'auxiliary_weight' of 0 leaves out")
    }
    return Run(
      name: try variant.text("name") + autoencoder.name.dropFirst(family.count) + variant.label,
      model: .continuous(configuration, autoencoder: autoencoder.name, leadIn: leadIn), settings: settings)
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
