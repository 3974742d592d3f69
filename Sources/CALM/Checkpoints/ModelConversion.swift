import CALMSupport
import Foundation
import Torch

/// A layout of a model folder that the official code reads. This package reads both.
public enum CheckpointFormat: String, CaseIterable, Sendable {
  /// The layout of the official training script: `pytorch_model.bin`, with all names of the official modules.
  case official
  /// `model.safetensors`, which contains the generative head once.
  case safetensors
}

extension ModelFolder {
  /// The files that are copied unchanged.
  private static let companions = [
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json",
  ]

  /// Writes the model into a new folder for the official code; a language model includes its autoencoder.
  ///
  /// Weights are copied unchanged, in their types. `ae_path` becomes the absolute path of `autoencoder/` in the new
  /// folder, because the official code resolves a relative path in its working directory.
  ///
  /// - Parameters:
  ///   - format: the layout.
  ///   - target: the new folder, which must be absent or empty. It appears complete or not at all.
  ///   - autoencoder: the autoencoder's folder, if it is not the one that the model's folder names.
  /// - Throws: ``ModelError`` if the official code does not support such a model, or a file error.
  public func convert(to format: CheckpointFormat, at target: URL, autoencoder: URL? = nil) throws {
    guard kind != .autoregressive else { throw ModelError.nothingToConvert(url.path) }
    guard AtomicFolder.isFree(target.path) else { throw ModelError.targetExists(target.path) }
    if kind == .languageModel {
      let head = try languageModelConfiguration().head
      guard head.usesAutoencoder else {
        throw ModelError.notOfficial(url.path, "a '\(head.rawValue)' head")
      }
    }
    let source = try autoencoderSource(given: autoencoder)
    try source.check()
    guard source.configuration.isVariational else {
      throw ModelError.notOfficial((source.folder ?? self).url.path, "a deterministic autoencoder")
    }
    let folder = try AtomicFolder(at: target.path)
    let place = URL(fileURLWithPath: folder.temporaryPath)
    if kind == .autoencoder {
      try writeAutoencoder(source, format, to: place)
    } else {
      try writeLanguageModel(source, format, to: place, finally: target)
      try writeAutoencoder(source, format, to: place.appendingPathComponent("autoencoder"))
    }
    try copyCompanions(to: place)
    try folder.commit()
  }

  /// Copies the tokenizer and other files that no conversion changes.
  func copyCompanions(to folder: URL) throws {
    for name in Self.companions {
      let file = url.appendingPathComponent(name)
      guard FileManager.default.fileExists(atPath: file.path) else { continue }
      try FileManager.default.copyItem(at: file, to: folder.appendingPathComponent(name))
    }
  }

  private func writeAutoencoder(_ source: AutoencoderSource, _ format: CheckpointFormat, to folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var settings =
      try source.folder?.settings() ?? Self.parse(JSONEncoder().encode(source.configuration), folder.path)
    settings["architectures"] = .array([.string("Autoencoder")])
    try Self.write(settings, to: folder)
    try Self.write(Self.tensors(of: source, prefix: ""), format, to: folder)
  }

  private func writeLanguageModel(
    _ source: AutoencoderSource, _ format: CheckpointFormat, to folder: URL, finally target: URL
  ) throws {
    let weights = try weights()
    try checkLanguageModel(weights, source)
    let configuration = try languageModelConfiguration()
    guard configuration.input == .tokens else {
      throw ModelError.notOfficial(url.path, "a Transformer that reads latents")
    }
    var settings = try settings()
    settings["architectures"] = .array([.string(configuration.head.type.architecture)])
    settings["model_type"] = nil
    settings["ae_path"] = .string(target.appendingPathComponent("autoencoder").standardizedFileURL.path)
    // The official code reads the rotary embedding in the form of transformers 4.
    if settings["rope_parameters"] != nil || settings["rope_scaling"]?["rope_theta"] != nil {
      let shape = configuration.transformer
      settings["rope_parameters"] = nil
      settings["rope_theta"] = .number(shape.ropeTheta)
      settings["rope_scaling"] =
        shape.ropeScaling == .none ? .null : try Self.parse(JSONEncoder().encode(shape.ropeScaling), folder.path)
    }
    // The official code requires a fraction.
    if var scaling = settings["rope_scaling"], let factor = scaling["factor"]?.integer {
      scaling["factor"] = .number(Double(factor))
      settings["rope_scaling"] = scaling
    }
    try Self.write(settings, to: folder)
    let own = weights.names.filter { !$0.hasPrefix(Self.autoencoderPrefix) && !$0.hasPrefix(Self.auxiliaryPrefix) }
    let tensors = own.compactMap { name in
      let alias = format == .official ? DistinctTensors.alias(of: name) : nil
      return TensorToWrite(name, of: weights, names: [name] + (alias.map { [$0] } ?? []))
    }
    try Self.write(tensors + Self.tensors(of: source, prefix: Self.autoencoderPrefix), format, to: folder)
  }

  /// The autoencoder's tensors under names that begin with `prefix`.
  ///
  /// Both layouts include the tied output projection: without it, the official code leaves an autoencoder's projection
  /// uninitialized, and warns for a language model.
  private static func tensors(of source: AutoencoderSource, prefix: String) -> [TensorToWrite] {
    source.weights.names.filter { $0.hasPrefix(source.prefix) }.compactMap { stored in
      let name = prefix + stored.dropFirst(source.prefix.count)
      let alias = DistinctTensors.alias(of: name)
      return TensorToWrite(stored, of: source.weights, names: [name] + (alias.map { [$0] } ?? []))
    }
  }

  /// All members of `config.json`, including those that this package ignores.
  private func settings() throws -> JSONValue {
    try Self.parse(configuration, url.appendingPathComponent("config.json").path)
  }

  private static func parse(_ text: Data, _ path: String) throws -> JSONValue {
    do {
      return try JSONParser.parse(Array(text))
    } catch {
      throw ModelError.configuration(path, error.reason)
    }
  }

  private static func write(_ settings: JSONValue, to folder: URL) throws {
    try AtomicFile.write(Data((settings.text + "\n").utf8), to: folder.appendingPathComponent("config.json").path)
  }

  private static func write(_ tensors: [TensorToWrite], _ format: CheckpointFormat, to folder: URL) throws {
    switch format {
    case .official: try TorchArchive.write(tensors, to: folder.appendingPathComponent("pytorch_model.bin"))
    case .safetensors:
      try Safetensors.write(
        tensors, metadata: ["format": "pt"], to: folder.appendingPathComponent("model.safetensors"))
    }
  }
}
