import CALMSupport
import Foundation

/// The index of a sharded checkpoint: a JSON object whose `weight_map` maps each tensor to its file.
struct ShardIndex {
  private static let maximumLength = 64 << 20

  private let url: URL
  /// The file name of each tensor, as in the index.
  private let shards: [String: String]

  /// Reads an index.
  ///
  /// - Throws: ``CheckpointError`` if it has a different structure or lists a file outside its folder.
  init(contentsOf url: URL) throws {
    func malformed(_ reason: String, _ tensor: String? = nil) -> CheckpointError {
      .malformed(file: url.path, tensor: tensor, reason: reason)
    }
    let file = try ReadableFile(path: url.path)
    guard file.size <= Self.maximumLength else { throw malformed("\(file.size) bytes are too many for an index") }
    let root: JSONValue
    do {
      root = try JSONParser.parse(try file.bytes(in: 0..<file.size))
    } catch let error as JSONSyntaxError {
      throw malformed("it is not JSON: \(error.reason)")
    }
    guard let map = root["weight_map"]?.object else { throw malformed("it has no object 'weight_map'") }
    var shards: [String: String] = [:]
    for member in map {
      guard let shard = member.value.string else { throw malformed("its shard is not a string", member.key) }
      guard Self.staysInside(shard) else {
        throw malformed("its shard \(CheckpointError.quoted(shard)) is outside this folder", member.key)
      }
      guard shards.updateValue(shard, forKey: member.key) == nil else { throw malformed("it occurs twice", member.key) }
    }
    self.url = url
    self.shards = shards
  }

  /// Whether a path refers to a file in or below the folder.
  private static func staysInside(_ path: String) -> Bool {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    return !path.contains("\0") && !path.contains("\\") && parts.allSatisfy { $0 != "" && $0 != "." && $0 != ".." }
  }

  /// Opens every shard once, and checks that the shards contain exactly the tensors of the index.
  ///
  /// - Returns: the shard of each tensor.
  func open(_ opener: (URL) throws -> any TensorSource) throws -> [String: any TensorSource] {
    func malformed(_ tensor: String, _ reason: String) -> CheckpointError {
      .malformed(file: url.path, tensor: tensor, reason: reason)
    }
    var opened: [String: any TensorSource] = [:]
    for shard in Set(shards.values).sorted() {
      let file = url.deletingLastPathComponent().appendingPathComponent(shard)
      guard FileManager.default.fileExists(atPath: file.path) else {
        throw CheckpointError.missingShard(shard, index: url.path)
      }
      let source = try opener(file)
      for name in source.names where shards[name] != shard {
        throw malformed(
          name,
          shards[name].map { "it belongs to \(CheckpointError.quoted($0)), but is in \(CheckpointError.quoted(shard))" }
            ?? "it is in \(CheckpointError.quoted(shard)), but not in the index")
      }
      opened[shard] = source
    }
    return try Dictionary(
      uniqueKeysWithValues: shards.map { name, shard in
        guard let source = opened[shard], source.layout(of: name) != nil else {
          throw malformed(name, "it is not in \(CheckpointError.quoted(shard)), where the index places it")
        }
        return (name, source)
      })
  }
}
