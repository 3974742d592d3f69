import CALMSupport
import Foundation

/// A finished part of a data set.
struct DataPart {
  /// A position among the documents.
  struct Cursor {
    /// The shard of the next document, its number there and its number in the part.
    fileprivate var shard = 0
    fileprivate var index = 0
    fileprivate var position = 0
  }

  let path: String
  let manifest: DataPartManifest
  private let shards: [TokenShard]
  private let sizes: DocumentSizes

  /// Opens a part with all its shards.
  ///
  /// - Throws: ``DataPartError``, or ``TokenShardError`` if a file is missing or damaged.
  init(path: String) throws {
    let manifest = try DataPartManifest(path: path)
    (self.path, self.manifest) = (path, manifest)
    shards = try manifest.content.shards.map {
      try TokenShard(path: path.appendingName($0), tokenizerHash: manifest.tokenizerHash)
    }
    let documents = shards.reduce(0) { $0 + $1.documentCount }
    let tokens = shards.reduce(0) { $0 + $1.tokenCount }
    guard documents == manifest.content.documents, tokens == manifest.content.tokens else {
      throw DataPartError.damaged(path: path, reason: "the shards have \(documents) documents and \(tokens) tokens")
    }
    sizes = try DocumentSizes(of: manifest, in: path)
  }

  /// The document at a position, which moves to the next one; nil after the last.
  ///
  /// - Throws: ``TokenShardError`` if a shard is damaged.
  func next(_ cursor: inout Cursor) throws -> EncodedDocument? {
    while cursor.shard < shards.count, cursor.index == shards[cursor.shard].documentCount {
      (cursor.shard, cursor.index) = (cursor.shard + 1, 0)
    }
    guard cursor.shard < shards.count else { return nil }
    let (shard, index) = (shards[cursor.shard], cursor.index)
    let document = EncodedDocument(
      tokens: try shard.tokens(ofDocument: index), prompt: shard.promptLength(ofDocument: index),
      bytes: sizes[cursor.position])
    (cursor.index, cursor.position) = (index + 1, cursor.position + 1)
    return document
  }

  /// The additional files of the data set by name.
  ///
  /// - Throws: ``DataPartError/damaged(path:reason:)``.
  func attachments() throws -> [String: Data] {
    var files: [String: Data] = [:]
    for (name, checksum) in manifest.attachments {
      guard let data = FileManager.default.contents(atPath: path.appendingName(name)) else {
        throw DataPartError.damaged(path: path, reason: "\(name) is missing")
      }
      guard data.withUnsafeBytes({ CRC32.checksum(of: $0) }) == checksum else {
        throw DataPartError.damaged(path: path.appendingName(name), reason: "wrong checksum")
      }
      files[name] = data
    }
    return files
  }
}
