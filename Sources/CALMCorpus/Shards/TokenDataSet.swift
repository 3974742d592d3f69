import Foundation

/// A prepared data set: a folder of token shards with its `data.json` and `tokenizer.json`.
public struct TokenDataSet: Sendable {
  /// The path of the folder.
  public let path: String
  /// The manifest.
  public let manifest: DataSetManifest
  /// The training shards.
  public let train: [TokenShard]
  /// The validation shards; empty without validation documents.
  public let validation: [TokenShard]

  /// Opens a data set created by ``DataPreparation``, with all its shards.
  ///
  /// - Parameter tokenizerHash: The hash that the tokenizer must have, or nil for any.
  /// - Throws: ``DataSetError``, or ``TokenShardError`` if a shard is damaged or has a different tokenizer.
  public init(path: String, tokenizerHash: String? = nil) throws {
    self.path = path
    let manifest = try Self.manifest(path: path)
    self.manifest = manifest
    train = try Self.shards(.train, manifest, path: path, tokenizerHash: tokenizerHash)
    validation = try Self.shards(.validation, manifest, path: path, tokenizerHash: tokenizerHash)
  }

  /// The shards of `split`.
  public func shards(_ split: DataSplit) -> [TokenShard] { split == .train ? train : validation }

  /// Reads the `data.json` of a folder.
  static func manifest(path: String) throws -> DataSetManifest {
    let file = (path as NSString).appendingPathComponent(DataSetManifest.fileName)
    guard let data = FileManager.default.contents(atPath: file) else {
      if let part = try? DataPartManifest(path: path).part { throw DataSetError.unjoinedPart(path: path, part: part) }
      throw DataSetError.notADataSet(path: path, reason: "no readable \(DataSetManifest.fileName)")
    }
    guard let manifest = try? JSONDecoder().decode(DataSetManifest.self, from: data) else {
      throw DataSetError.notADataSet(path: path, reason: "\(DataSetManifest.fileName) is damaged")
    }
    guard manifest.version == DataSetManifest.currentVersion else {
      throw DataSetError.notADataSet(
        path: path,
        reason: "version \(manifest.version), but only version \(DataSetManifest.currentVersion) is supported")
    }
    return manifest
  }

  private static func shards(
    _ split: DataSplit, _ manifest: DataSetManifest, path: String, tokenizerHash: String?
  ) throws -> [TokenShard] {
    let part = manifest[split]
    let shards = try part.shards.map { name in
      let file = (path as NSString).appendingPathComponent(name)
      guard FileManager.default.fileExists(atPath: file) else { throw DataSetError.missingShard(path: file) }
      let shard = try TokenShard(path: file, tokenizerHash: tokenizerHash)
      if shard.vocabulary.tokenizerHash != manifest.tokenizerHash {
        throw DataSetError.disagreement(path: file, reason: "the shard has a different tokenizer")
      }
      return shard
    }
    let documents = shards.reduce(0) { $0 + $1.documentCount }
    let tokens = shards.reduce(0) { $0 + $1.tokenCount }
    guard documents == part.documents, tokens == part.tokens else {
      throw DataSetError.disagreement(
        path: path, reason: "the \(split.rawValue) shards have \(documents) documents and \(tokens) tokens")
    }
    return shards
  }
}
