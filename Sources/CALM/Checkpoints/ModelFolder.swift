import Foundation
import Tokenization
import Torch

/// A model on disk: `config.json`, weights, `tokenizer.json`, and for a language model `autoencoder/` with the same.
///
/// Official folders are read as they are: their autoencoder lies at `ae_path`, or among the weights as `ae_model.*`.
public struct ModelFolder {
  /// What a folder can hold.
  public enum Kind: String, Sendable {
    case autoencoder
    /// A continuous one.
    case languageModel = "language model"
    case autoregressive = "autoregressive Transformer"

    var article: String { self == .languageModel ? "a continuous language model" : "an \(rawValue)" }
  }

  /// The folder.
  public let url: URL
  /// What it holds.
  public let kind: Kind
  private let configuration: Data

  /// Opens a folder by its `config.json`.
  ///
  /// - Throws: ``ModelError`` where there is none, or none of a model that is known here.
  public init(_ url: URL) throws {
    self.url = url
    let file = url.appendingPathComponent("config.json")
    guard let data = try? Data(contentsOf: file), data.count < 1 << 20 else { throw ModelError.notAModel(url.path) }
    configuration = data
    // The architecture's name tells the kind; where it is missing, a key that only one of them has.
    struct Marks: Decodable {
      let architectures: [String]?
      let modelType: String?
      let encoderLayers: Int?

      enum CodingKeys: String, CodingKey {
        case architectures
        case modelType = "model_type"
        case encoderLayers = "num_encoder_layers"
      }
    }
    let marks: Marks = try Self.decode(data, file)
    kind =
      switch (marks.architectures?.first, marks.modelType) {
      case ("Autoencoder", _): .autoencoder
      case (AutoregressiveConfiguration.architecture, _), (nil, AutoregressiveConfiguration.modelType): .autoregressive
      case (nil, _) where marks.encoderLayers != nil: .autoencoder
      default: .languageModel
      }
  }

  /// The configuration of the autoencoder here, or of the language model's.
  public func autoencoderConfiguration() throws -> AutoencoderConfiguration {
    if kind == .languageModel { return try autoencoderFolder(given: nil).autoencoderConfiguration() }
    try require(.autoencoder)
    return try Self.decode(configuration, url.appendingPathComponent("config.json"))
  }

  /// The configuration of the language model.
  public func languageModelConfiguration() throws -> LanguageModelConfiguration {
    try require(.languageModel)
    return try Self.decode(configuration, url.appendingPathComponent("config.json"))
  }

  /// The configuration of the autoregressive Transformer.
  public func autoregressiveConfiguration() throws -> AutoregressiveConfiguration {
    try require(.autoregressive)
    return try Self.decode(configuration, url.appendingPathComponent("config.json"))
  }

  /// The tokenizer stored with the model.
  public func tokenizer() throws -> Tokenizer {
    let names = ["tokenizer.json", "tokenizer.model"]
    guard names.contains(where: { FileManager.default.fileExists(atPath: url.appendingPathComponent($0).path) }) else {
      throw ModelError.noTokenizer(url.path)
    }
    return try Tokenizer(contentsOf: url)
  }

  /// The autoencoder in this folder, or the language model's: from `autoencoder/`, `ae_path` or its own weights.
  ///
  /// - Throws: ``ModelError``, or an error of the checkpoint's reader.
  public func loadAutoencoder(device: Device = .cpu) throws -> Autoencoder {
    if kind == .languageModel, let folder = try? autoencoderFolder(given: nil) {
      return try folder.loadAutoencoder(device: device)
    }
    let reader = try CheckpointReader(url)
    if kind == .languageModel {
      // Official checkpoints hold the frozen autoencoder's weights, but not its configuration.
      throw ModelError.noAutoencoder(url.path)
    }
    let model = Autoencoder(try autoencoderConfiguration(), generator: Generator(seed: 0, device: device))
    try model.load(from: reader, ignoring: ["decoder.lm_head_weight"])
    return model
  }

  /// The language model with its autoencoder.
  ///
  /// - Parameter autoencoder: the autoencoder's folder, where it is not the one that the model's folder names.
  /// - Throws: ``ModelError``, or an error of the checkpoint's reader.
  public func loadLanguageModel(autoencoder: URL? = nil, device: Device = .cpu) throws -> ContinuousLanguageModel {
    var configuration = try languageModelConfiguration()
    let autoencoder = try autoencoderFolder(given: autoencoder).loadAutoencoder(device: device)
    let sizes = autoencoder.configuration
    try agree("chunk size", configuration.chunkSize, sizes.chunkSize)
    try agree("latent size", configuration.latentSize, sizes.latentSize)
    try agree("vocabulary size", configuration.vocabularySize, sizes.vocabularySize)
    let reader = try CheckpointReader(url)
    if try namedHead() == nil {
      configuration.head = HeadKind.inferred(from: reader, sizes: configuration) ?? configuration.head
    }
    if !reader.names.contains("auxiliary_projection.weight") { configuration.auxiliaryLossWeight = 0 }
    let model = ContinuousLanguageModel(
      configuration, autoencoder: autoencoder, generator: Generator(seed: 0, device: device))
    // The official code stores the energy head under two names, and the frozen autoencoder beside it.
    try model.load(from: reader, ignoring: configuration.head.type.repeatedKeys + ["ae_model."])
    return model
  }

  /// The autoregressive Transformer: of `calm train transformer`, or any Llama in the format of Hugging Face.
  ///
  /// - Throws: ``ModelError``, or an error of the checkpoint's reader.
  public func loadAutoregressiveModel(device: Device = .cpu) throws -> AutoregressiveModel {
    let configuration = try autoregressiveConfiguration()
    let model = AutoregressiveModel(configuration, generator: Generator(seed: 0, device: device))
    try model.load(from: CheckpointReader(url), ignoring: configuration.tiesEmbeddings ? ["lm_head."] : [])
    return model
  }

  /// The head that `config.json` names, if it does.
  private func namedHead() throws -> HeadKind? {
    struct Named: Decodable {
      let head: HeadKind?
      init(from decoder: any Decoder) throws { head = try LanguageModelConfiguration.namedHead(in: decoder) }
    }
    let named: Named = try Self.decode(configuration, url.appendingPathComponent("config.json"))
    return named.head
  }

  private func autoencoderFolder(given: URL?) throws -> ModelFolder {
    struct Place: Decodable {
      let path: String?
      enum CodingKeys: String, CodingKey { case path = "ae_path" }
    }
    let named = (try? JSONDecoder().decode(Place.self, from: configuration))?.path
    let places = [
      given, url.appendingPathComponent("autoencoder"), named.map { URL(fileURLWithPath: $0, relativeTo: url) },
      named.map { URL(fileURLWithPath: $0, relativeTo: url.deletingLastPathComponent()) },
      named.map { URL(fileURLWithPath: $0) },
    ].compactMap { $0 }
    let found =
      given
      ?? places.first {
        FileManager.default.fileExists(atPath: $0.appendingPathComponent("config.json").path)
      }
    guard let found else { throw ModelError.noAutoencoder(url.path) }
    let folder = try ModelFolder(found)
    try folder.require(.autoencoder)
    return folder
  }

  private func require(_ expected: Kind) throws {
    guard kind == expected else { throw ModelError.wrongKind(url.path, found: kind, expected: expected) }
  }

  private func agree(_ name: String, _ model: Int, _ autoencoder: Int) throws {
    guard model == autoencoder else {
      throw ModelError.sizesDiffer(url.path, name: name, model: model, autoencoder: autoencoder)
    }
  }

  private static func decode<Value: Decodable>(_ data: Data, _ file: URL) throws -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: data)
    } catch let error as DecodingError {
      throw ModelError.configuration(file.path, error.summary)
    }
  }
}
