import CALMSupport
import Foundation

/// Reads the weights of a model from one file, or from shards with an index, in safetensors or torch.save format.
public final class CheckpointReader: TensorSource {
  /// The names of weight files in a folder, in order of preference.
  public static let fileNames = [
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
  ]

  /// The opened file: the weights, or the index of their shards.
  public let url: URL
  /// The names of all tensors, sorted.
  public let names: [String]
  private let sources: [String: any TensorSource]

  /// Opens a folder of weights, a file of weights or an index of shards.
  ///
  /// Opening reads and checks only the descriptions. Tensors are read on demand.
  ///
  /// - Throws: ``CheckpointError`` or `FileError`.
  public init(_ url: URL) throws {
    let file = try Self.file(at: url)
    self.url = file
    sources =
      file.lastPathComponent.hasSuffix(".index.json")
      ? try ShardIndex(contentsOf: file).open { try Self.open($0) } : try Self.sources(in: Self.open(file))
    names = sources.keys.sorted()
  }

  private static func file(at url: URL) throws -> URL {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      throw FileError("read", url.path, code: ENOENT)
    }
    if !isFolder.boolValue { return url }
    let places = fileNames.map { url.appendingPathComponent($0) }
    guard let found = places.first(where: { FileManager.default.fileExists(atPath: $0.path) }) else {
      throw CheckpointError.noWeights(folder: url.path, lookedFor: fileNames)
    }
    return found
  }

  private static func open(_ file: URL) throws -> any TensorSource {
    let torchExtensions = ["bin", "pt", "pth", "ckpt"]
    let startsAsZip = try ReadableFile(path: file.path).bytes(in: 0..<2) == Array("PK".utf8)
    return startsAsZip || torchExtensions.contains(file.pathExtension)
      ? try TorchArchive(contentsOf: file) : try SafetensorsFile(contentsOf: file)
  }

  private static func sources(in source: any TensorSource) -> [String: any TensorSource] {
    Dictionary(uniqueKeysWithValues: source.names.map { ($0, source) })
  }

  /// The type and shape of a tensor; nil if there is no tensor with that name.
  public func layout(of name: String) -> TensorLayout? { sources[name]?.layout(of: name) }

  /// Reads a tensor to the CPU in its stored type.
  ///
  /// - Throws: ``CheckpointError`` or `FileError`.
  public func tensor(named name: String) throws -> Tensor { try source(of: name).tensor(named: name) }

  /// Reads the elements of a tensor into another of the same shape; see ``TensorSource/read(_:into:)``.
  public func read(_ name: String, into destination: Tensor) throws {
    try source(of: name).read(name, into: destination)
  }

  private func source(of name: String) throws -> any TensorSource {
    guard let source = sources[name] else { throw CheckpointError.missingTensor(name, file: url.path) }
    return source
  }
}
