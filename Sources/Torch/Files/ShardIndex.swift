import CALMSupport
import Foundation

/// The index of a checkpoint in shards: a JSON object whose `weight_map` says for every tensor which file has it.
struct ShardIndex {
  private static let greatestLength = 64 << 20

  private let url: URL
  /// The name of each tensor's file, as the index has it.
  private let shards: [String: String]

  /// Reads an index.
  ///
  /// - Throws: ``CheckpointError`` where it is not of this form or names a file outside its folder.
  init(contentsOf url: URL) throws {
    func malformed(_ reason: String, _ tensor: String? = nil) -> CheckpointError {
      .malformed(file: url.path, tensor: tensor, reason: reason)
    }
    let file = try ReadableFile(path: url.path)
    guard file.size <= Self.greatestLength else { throw malformed("an index of \(file.size) bytes") }
    let root: JSONValue
    do {
      root = try JSONParser.parse(try file.bytes(in: 0..<file.size))
    } catch let error as JSONSyntaxError {
      throw malformed("it is not JSON: \(error.reason)")
    }
    guard let map = root["weight_map"]?.object else { throw malformed("it has no object 'weight_map'") }
    var shards: [String: String] = [:]
    for member in map {
      guard let shard = member.value.string else { throw malformed("its shard is not text", member.key) }
      guard Self.staysInside(shard) else {
        throw malformed("its shard \(CheckpointError.quoted(shard)) is not a file of this folder", member.key)
      }
      guard shards.updateValue(shard, forKey: member.key) == nil else { throw malformed("it stands twice", member.key) }
    }
    self.url = url
    self.shards = shards
  }

  /// Whether a path leads to a file in or below the folder, however it is written.
  private static func staysInside(_ path: String) -> Bool {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    return !path.contains("\0") && !path.contains("\\") && parts.allSatisfy { $0 != "" && $0 != "." && $0 != ".." }
  }

  /// Opens every shard once and checks that the shards hold what the index says, no more and no less.
  ///
  /// - Returns: each tensor's shard.
  func open(_ opener: (URL) throws -> any TensorSource) throws -> [String: any TensorSource] {
    func malformed(_ tensor: String, _ reason: String) -> CheckpointError {
      .malformed(file: url.path, tensor: tensor, reason: reason)
    }
    var opened: [String: any TensorSource] = [:]
    for shard in Set(shards.values).sorted() {
      let place = url.deletingLastPathComponent().appendingPathComponent(shard)
      guard FileManager.default.fileExists(atPath: place.path) else {
        throw CheckpointError.missingShard(shard, index: url.path)
      }
      let source = try opener(place)
      for name in source.names where shards[name] != shard {
        throw malformed(
          name,
          shards[name].map { "it is in \(CheckpointError.quoted($0)) and in \(CheckpointError.quoted(shard)) too" }
            ?? "it is in \(CheckpointError.quoted(shard)), but not in the index")
      }
      opened[shard] = source
    }
    return try Dictionary(
      uniqueKeysWithValues: shards.map { name, shard in
        guard let source = opened[shard], source.layout(of: name) != nil else {
          throw malformed(name, "it is not in \(CheckpointError.quoted(shard)), where it should be")
        }
        return (name, source)
      })
  }
}
