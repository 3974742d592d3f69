import Foundation
import Torch

/// The tensors of an official checkpoint, each under one name: that of the parameter here.
///
/// The official modules hold some tensors under two names. torch.save keeps both, and safetensors files keep one or the
/// other, depending on who wrote them.
final class DistinctTensors: TensorSource {
  /// Beginnings of the second names, and what stands for them in the first. The energy head has two.
  static let aliases = [
    (alias: "generative_head.", name: "mlp_generator."),
    (alias: "decoder.lm_head_weight", name: "encoder.embed_tokens.weight"),
    (alias: "ae_model.decoder.lm_head_weight", name: "ae_model.encoder.embed_tokens.weight"),
  ]

  /// The beginning of the diffusion and the flow head's only names, which is also like a second one's.
  private static let sole = "generative_head.net."

  let url: URL
  let names: [String]
  private let source: any TensorSource
  /// The name in the source by the name here.
  private let places: [String: String]

  /// - Throws: ``CheckpointError`` where two names of one tensor have different shapes.
  init(_ source: any TensorSource) throws {
    var places: [String: String] = [:]
    for stored in source.names {
      let alias = Self.aliases.first { stored.hasPrefix($0.alias) && !stored.hasPrefix(Self.sole) }
      let name = alias.map { $0.name + stored.dropFirst($0.alias.count) } ?? stored
      if let other = places[name] {
        guard source.layout(of: stored) == source.layout(of: other) else {
          throw CheckpointError.malformed(
            file: source.url.path, tensor: stored, reason: "it is '\(other)' under another name, but of another shape")
        }
      }
      // Of two names the parameter's own wins.
      if alias == nil || places[name] == nil { places[name] = stored }
    }
    self.source = source
    self.places = places
    url = source.url
    names = places.keys.sorted()
  }

  /// The second name of a tensor; nil where it has none.
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
