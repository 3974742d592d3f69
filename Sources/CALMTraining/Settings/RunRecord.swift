import CALM
import Foundation
import Torch

/// `run.json`: everything a run was told, so that it can be understood, repeated and resumed.
public struct RunRecord: Codable, Sendable {
  /// What is trained.
  public enum Model: Codable, Sendable {
    /// An autoencoder of these sizes.
    case autoencoder(AutoencoderConfiguration)
    /// With the folder of the frozen autoencoder, and the steps of ``LanguageModelTask``'s lead-in.
    case languageModel(LanguageModelConfiguration, autoencoder: String, auxiliaryWarmupSteps: Int)
    /// An autoregressive Transformer of these sizes.
    case autoregressive(AutoregressiveConfiguration)
  }

  /// A folder of prepared data and its share of what is trained on, relative to the others'.
  public struct Corpus: Codable, Hashable, Sendable {
    /// The folder that `calm data prepare` made.
    public var path: String
    /// Its share, above 0; the shares need not sum to 1.
    public var weight: Double

    /// A folder with its weight.
    public init(path: String, weight: Double = 1) {
      (self.path, self.weight) = (path, weight)
    }

    /// Reads `folder` or `folder:weight`.
    ///
    /// - Throws: ``TrainingError/invalidWeight(_:)`` for a weight that is not above 0.
    public init(parsing text: String) throws {
      (path, weight) = (text, 1)
      guard let colon = text.lastIndex(of: ":"), let share = Double(text[text.index(after: colon)...]) else { return }
      guard share > 0, share.isFinite else { throw TrainingError.invalidWeight(text) }
      (path, weight) = (String(text[..<colon]), share)
    }
  }

  /// What is trained, with all sizes.
  public var model: Model
  /// The folder of the model whose weights the run begins with; nil begins with fresh ones.
  public var initialModel: String?
  /// What it is trained on.
  public var data: [Corpus]
  /// Steps, batches, rates, seed, precision.
  public var settings: TrainingSettings
  /// Threads of an operation: the same seed gives the same numbers on the same count.
  public var threads: Int
  /// Where it runs.
  public var device: String
  /// The program's version.
  public var program: String
  /// The version of libtorch.
  public var libtorch: String

  /// A run on this machine as it is set up now.
  public init(
    model: Model, initialModel: String? = nil, data: [Corpus], settings: TrainingSettings, device: Device,
    program: String
  ) {
    self.model = model
    self.initialModel = initialModel
    self.data = data
    self.settings = settings
    self.program = program
    self.device = device.description
    threads = Runtime.threads
    libtorch = Runtime.version
  }
  /// The content of `run.json`.
  public func encoded() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(self)
  }
}

// As `{"kind": "calm", "configuration": {…}, "autoencoder": "runs/autoencoder/model", "lead_in": 0}`, the kind as
// `calm train` names it.
extension RunRecord.Model {
  private enum Kind: String, Codable { case autoencoder, calm, transformer }

  private enum CodingKeys: String, CodingKey {
    case kind, configuration, autoencoder
    case auxiliaryWarmupSteps = "lead_in"
  }

  /// Reads the form above.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    switch try values.decode(Kind.self, forKey: .kind) {
    case .autoencoder: self = .autoencoder(try values.decode(AutoencoderConfiguration.self, forKey: .configuration))
    case .calm:
      self = .languageModel(
        try values.decode(LanguageModelConfiguration.self, forKey: .configuration),
        autoencoder: try values.decode(String.self, forKey: .autoencoder),
        auxiliaryWarmupSteps: try values.decode(Int.self, forKey: .auxiliaryWarmupSteps))
    case .transformer:
      self = .autoregressive(try values.decode(AutoregressiveConfiguration.self, forKey: .configuration))
    }
  }

  /// Writes the form above.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .autoencoder(let configuration):
      try values.encode(Kind.autoencoder, forKey: .kind)
      try values.encode(configuration, forKey: .configuration)
    case .languageModel(let configuration, let autoencoder, let auxiliaryWarmupSteps):
      try values.encode(Kind.calm, forKey: .kind)
      try values.encode(configuration, forKey: .configuration)
      try values.encode(autoencoder, forKey: .autoencoder)
      try values.encode(auxiliaryWarmupSteps, forKey: .auxiliaryWarmupSteps)
    case .autoregressive(let configuration):
      try values.encode(Kind.transformer, forKey: .kind)
      try values.encode(configuration, forKey: .configuration)
    }
  }
}

extension RunRecord.Model {
  /// K; 1 of an autoregressive model.
  public var chunkSize: Int {
    switch self {
    case .autoencoder(let configuration): configuration.chunkSize
    case .languageModel(let configuration, _, _): configuration.chunkSize
    case .autoregressive: 1
    }
  }
}
