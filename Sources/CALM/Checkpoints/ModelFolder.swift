import CALMSupport
import CALMTokenizer
import Foundation
import Torch

/// A model on disk: `config.json`, weights, `tokenizer.json` and, for a language model, `autoencoder/` with the same
/// files.
///
/// Official folders are supported: their autoencoder is at `ae_path`, or among the weights as `ae_model.*`.
public struct ModelFolder: Sendable {
  /// The kind of a model.
  public enum Kind: String, Sendable {
    /// An autoencoder alone.
    case autoencoder
    /// A continuous language model, with or without its autoencoder.
    case languageModel = "language model"
    /// A Llama Transformer, which predicts tokens.
    case autoregressive = "autoregressive Transformer"

    /// The kind with its article.
    package var article: String { self == .languageModel ? "a continuous language model" : "an \(rawValue)" }
  }

  /// The folder.
  public let url: URL
  /// The kind of its model.
  public let kind: Kind
  let configuration: Data

  /// Opens a folder by its `config.json`.
  ///
  /// - Throws: ``ModelError`` if it is missing, or describes no supported model.
  public init(_ url: URL) throws {
    self.url = url
    let file = url.appendingPathComponent("config.json")
    // A larger file is not a configuration.
    guard let text = try? ReadableFile(path: file.path), text.size < 1 << 20,
      let bytes = try? text.bytes(in: 0..<text.size)
    else { throw ModelError.notAModel(url.path) }
    let data = Data(bytes)
    configuration = data
    // The architecture identifies the kind; if it is missing, a key that only one of them has.
    struct Clues: Decodable {
      let architectures: [String]?
      let modelType: String?
      let encoderLayers: Int?

      enum CodingKeys: String, CodingKey {
        case architectures
        case modelType = "model_type"
        case encoderLayers = "num_encoder_layers"
      }
    }
    let clues: Clues = try Self.decode(data, file)
    kind =
      switch (clues.architectures?.first, clues.modelType) {
      case ("Autoencoder", _): .autoencoder
      case (AutoregressiveConfiguration.architecture, _), (nil, AutoregressiveConfiguration.modelType): .autoregressive
      case (nil, _) where clues.encoderLayers != nil: .autoencoder
      default: .languageModel
      }
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

  func require(_ expected: Kind) throws {
    guard kind == expected else { throw ModelError.wrongKind(url.path, found: kind, expected: expected) }
  }

  static func decode<Value: Decodable>(_ data: Data, _ file: URL, as type: Value.Type = Value.self) throws -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: data)
    } catch let error as DecodingError {
      // Values from the file may have any length.
      let line = error.summary.split(whereSeparator: \.isNewline).joined(separator: " ")
      throw ModelError.configuration(file.path, line.count > 400 ? line.prefix(400) + "…" : line)
    }
  }
}
