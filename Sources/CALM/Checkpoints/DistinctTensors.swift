import Foundation
import Torch

/// The tensors of an official checkpoint, each under one name: the name of the parameter in this package.
///
/// The official modules contain some tensors under two names. torch.save writes both; a safetensors file contains one
/// of them, depending on the program that wrote it.
final class DistinctTensors: TensorSource {
  /// Prefixes of second names, and the corresponding prefixes of the first names.
  static let aliases = [
    (alias: "generative_head.", name: "mlp_generator."),
    (alias: "decoder.lm_head_weight", name: "encoder.embed_tokens.weight"),
    (alias: "ae_model.decoder.lm_head_weight", name: "ae_model.encoder.embed_tokens.weight"),
  ]

  /// The prefix of tensors of the diffusion and flow heads that have only one name, although it resembles the prefix of
  /// a second name.
  private static let sole = "generative_head.net."

  let url: URL
  let names: [String]
  private let source: any TensorSource
  /// The names in the source, by parameter name.
  private let places: [String: String]

  /// - Throws: ``CheckpointError`` if two names of one tensor have different shapes.
  init(_ source: any TensorSource) throws {
    var places: [String: String] = [:]
    for stored in source.names {
      let alias = Self.aliases.first { stored.hasPrefix($0.alias) && !stored.hasPrefix(Self.sole) }
      let name = alias.map { $0.name + stored.dropFirst($0.alias.count) } ?? stored
      if let other = places[name] {
        guard source.layout(of: stored) == source.layout(of: other) else {
          throw CheckpointError.malformed(
            file: source.url.path, tensor: stored,
            reason: "it is '\(other)' under another name, but has a different shape")
        }
      }
      // The name of the parameter takes precedence.
      if alias == nil || places[name] == nil { places[name] = stored }
    }
    self.source = source
    self.places = places
    url = source.url
    names = places.keys.sorted()
  }

  /// The second name of a tensor; nil if it has none.
  static func alias(of name: String) -> String? {
    aliases.first { name.hasPrefix($0.name) }.map { $0.alias + name.dropFirst($0.name.count) }
  }

  func layout(of name: String) -> TensorLayout? { places[name].flatMap { source.layout(of: $0) } }

  func tensor(named name: String) throws -> Tensor { try source.tensor(named: try place(of: name)) }

  func read(_ name: String, into destination: Tensor) throws {
    try source.read(try place(of: name), into: destination)
  }

  private func place(of name: String) throws -> String {
    guard let place = places[name] else { throw CheckpointError.missingTensor(name, file: url.path) }
    return place
  }
}
