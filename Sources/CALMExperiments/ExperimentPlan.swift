import CALM
import CALMReports
import CALMSupport
import CALMTraining
import Foundation

/// The content of an experiment file: the text, the runs, and the settings of the evaluation.
///
/// ```json
/// {
///   "stories": {"bytes": 2000000, "vocab_size": 512},
///   "evaluation": {"sequence_length": 256, "num_sequences": 16, "brier_samples": 4},
///   "autoencoders": [{"name": "ae", "chunk_size": [2, 4], "latent_size": 32, "hidden_size": 128, "steps": 600}],
///   "models": [
///     {"name": "lm", "autoencoder": "ae", "head": ["energy", "flow"], "hidden_size": 128, "layers": 4, "steps": 500},
///     {"name": "student", "teacher": "lm-flow", "steps": 100},
///     {"name": "transformer", "hidden_size": 128, "layers": 4, "steps": 500}
///   ]
/// }
/// ```
///
/// `autoencoder_defaults` and `model_defaults` are settings of all autoencoders and of all models without a teacher. A
/// list means one run for each of its entries. A model whose autoencoder has such a list is trained on each variant. A
/// teacher is a run of an earlier model, which is distilled. With a list of seeds, every run is trained from each.
public struct ExperimentPlan: Sendable {
  /// The source of the text.
  public enum Source: Sendable, Equatable {
    /// Synthetic stories.
    case stories(bytes: Int, vocabulary: Int)
    /// A folder written by `calm data prepare`.
    case data(String)
  }

  /// One training run.
  public struct Run: Sendable {
    /// The name of the run's folder.
    public private(set) var name: String
    /// The name of the run's row in tables, which it shares with the runs from other seeds.
    public let row: String
    /// The settings of model and training. The sizes that depend on the text are filled in later.
    public let settings: any RunSettings
    /// The name of the run whose model this one needs: its autoencoder or its teacher.
    public private(set) var origin: String?

    init(name: String, settings: any RunSettings, origin: String?) {
      (self.name, row, self.settings, self.origin) = (name, name, settings, origin)
    }

    /// K.
    public var chunkSize: Int { settings.model.chunkSize }

    /// The random seed.
    public var seed: UInt64 { settings.training.seed }

    /// The run with its seed in its name.
    func namedBySeed() -> Self {
      var run = self
      let suffix = "-seed-\(seed)"
      (run.name, run.origin) = (name + suffix, origin.map { $0 + suffix })
      return run
    }
  }

  /// The measurement of the speed of generation.
  public struct Speed: Sendable, Hashable, Codable {
    /// The tokens that a model writes in a turn.
    public let tokens: Int
    /// The number of turns of each model at each temperature.
    public let turns: Int
  }

  /// The source of the text.
  public let source: Source
  /// Tokens per sequence of the evaluation.
  public let sequenceTokens: Int
  /// The number of sequences evaluated.
  public let blocks: Int
  /// Samples per position.
  public let samples: Int
  /// How the speed of generation is measured; nil if it is not.
  public let speed: Speed?
  /// The random seeds. Synthetic stories depend on the first only, and the speed is measured for its runs.
  public let seeds: [UInt64]
  /// The runs, seed by seed. Each follows those on which it depends.
  public let runs: [Run]

  /// Reads a YAML or JSON file and refuses any run that would fail, before anything runs.
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
    let seeds = try Self.seeds(root)
    self.seeds = seeds
    let evaluation = try Self.single(
      root["evaluation"] ?? .object([]), at: "evaluation", known: ["sequence_length", "num_sequences", "brier_samples"])
    sequenceTokens = try evaluation.integer("sequence_length", in: 16...1_000_000, or: 256)
    blocks = try evaluation.integer("num_sequences", in: 1...1_000_000_000, or: 32)
    samples = try evaluation.integer("brier_samples", in: 2...10_000, or: 4)
    speed = try Self.speed(root)

    runs = try seeds.flatMap { seed in
      let runs = try Self.runs(root, seed: seed)
      return seeds.count > 1 ? runs.map { $0.namedBySeed() } : runs
    }
    if runs.isEmpty { throw SettingsError("there is nothing to train in 'autoencoders' and 'models'") }
    for run in runs {
      guard sequenceTokens % run.chunkSize == 0 else {
        throw SettingsError(
          "'sequence_length' \(sequenceTokens) of 'evaluation' is not a multiple of the chunk size \(run.chunkSize) of "
            + "'\(run.row)'")
      }
      if type(of: run.settings).scoresPredictions && sequenceTokens < 2 * run.chunkSize {
        throw SettingsError(
          "'sequence_length' \(sequenceTokens) of 'evaluation' must be at least two chunks of '\(run.row)'")
      }
    }
    let names = runs.map(\.name)
    if let twice = runs.first(where: { run in names.count { $0 == run.name } > 1 })?.row {
      throw SettingsError("two runs are named '\(twice)'; change the 'name' of one")
    }
    if let bad = names.first(where: { $0.contains("/") || $0.hasPrefix(".") || $0.isEmpty }) {
      throw SettingsError("'\(bad)' is not a valid folder name")
    }
  }

  /// The runs of all entries from one seed.
  private static func runs(_ root: JSONValue, seed: UInt64) throws -> [Run] {
    var runs: [Run] = []
    /// The runs of each autoencoder in the file.
    var families: [String: [Run]] = [:]
    for (place, entry) in try Self.entries("autoencoders", of: root, defaults: "autoencoder_defaults") {
      for variant in try SettingsGrid(entry, at: place).variants {
        let run = try autoencoder(variant, seed: seed)
        families[try variant.text("name"), default: []].append(run)
        runs.append(run)
      }
    }
    for (place, entry) in try Self.entries("models", of: root, defaults: "model_defaults") {
      for variant in try SettingsGrid(entry, at: place).variants {
        if entry["teacher"] != nil {
          let name = try variant.text("teacher")
          guard let teacher = runs.first(where: { $0.name == name }) else {
            throw SettingsError("'\(place)' names the teacher '\(name)', which is not the run of an earlier model")
          }
          runs.append(try student(variant, of: teacher, seed: seed))
          continue
        }
        guard entry["autoencoder"] != nil else {
          let hasHead = variant.members.contains { $0.key == "head" }
          runs.append(try hasHead ? languageModel(variant, seed: seed) : transformer(variant, seed: seed))
          continue
        }
        let name = try variant.text("autoencoder")
        guard let family = families[name] else {
          throw SettingsError("'\(place)' names the autoencoder '\(name)', which is not among 'autoencoders'")
        }
        for autoencoder in family {
          runs.append(try languageModel(variant, on: autoencoder, of: name, seed: seed))
        }
      }
    }
    return runs
  }

  private static func checkKeys(of root: JSONValue) throws(SettingsError) {
    let keys: Set = [
      "stories", "data", "seed", "evaluation", "speed", "autoencoder_defaults", "autoencoders", "model_defaults",
      "models",
    ]
    guard let members = root.object else {
      throw SettingsError("must be an object with \(keys.sorted().joined(separator: ", "))")
    }
    var seen: Set<String> = []
    for member in members {
      guard keys.contains(member.key) else {
        throw SettingsError("unknown key '\(member.key)'; the keys are \(keys.sorted().joined(separator: ", "))")
      }
      guard seen.insert(member.key).inserted else { throw SettingsError("'\(member.key)' occurs twice") }
    }
  }

  /// The entries of a list with their positions. Those without a teacher have the default settings that they do not set.
  private static func entries(
    _ key: String, of root: JSONValue, defaults: String
  ) throws(SettingsError) -> [(place: String, entry: JSONValue)] {
    let shared = root[defaults] ?? .object([])
    guard let shared = shared.object else { throw SettingsError("'\(defaults)' must be an object with settings") }
    guard let value = root[key], !value.isNull else { return [] }
    guard let entries = value.array else { throw SettingsError("'\(key)' must be a list") }
    return entries.enumerated().map { index, entry in
      let place = "\(key)[\(index)]"
      guard let members = entry.object, entry["teacher"] == nil else { return (place, entry) }
      return (place, .object(members + shared.filter { entry[$0.key] == nil }))
    }
  }

  private static func seeds(_ root: JSONValue) throws(SettingsError) -> [UInt64] {
    guard let value = root["seed"] else { return [1] }
    let seeds = (value.array ?? [value]).map { UInt64(exactly: $0.integer ?? -1) }
    guard !seeds.isEmpty, !seeds.contains(nil) else {
      throw SettingsError("'seed' must be a whole number, 0 or more, or a list of them")
    }
    guard Set(seeds).count == seeds.count else { throw SettingsError("'seed' has a number twice") }
    return seeds.compactMap(\.self)
  }

  private static func speed(_ root: JSONValue) throws(SettingsError) -> Speed? {
    guard let value = root["speed"] else { return nil }
    let settings = try single(value, at: "speed", known: ["max_new_tokens", "turns"])
    return Speed(
      tokens: try settings.integer("max_new_tokens", in: 1...1_000_000, or: 128),
      turns: try settings.integer("turns", in: 1...1000, or: 5))
  }

  private static func source(_ root: JSONValue) throws(SettingsError) -> Source {
    switch (root["stories"], root["data"]) {
    case (let stories?, nil):
      let settings = try single(stories, at: "stories", known: ["bytes", "vocab_size"])
      return .stories(
        bytes: try settings.integer("bytes", in: 100_000...1_000_000_000, or: 2_000_000),
        vocabulary: try settings.integer("vocab_size", in: 300...65_536, or: 512))
    case (nil, .string(let path)): return .data(path)
    default: throw SettingsError("set the text with either 'stories' (an object) or 'data' (a folder)")
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
