import Foundation

/// Writes numbered shards, starting a new shard when the last is full.
struct ShardSequence {
  /// The shards written so far, complete after ``finish()``.
  private(set) var part = DataSetManifest.Part()

  private let prefix: String
  private let folder: String
  private let vocabulary: TokenVocabulary
  private let limit: Int
  private let hasPrompts: Bool
  private var writer: TokenShardWriter?

  /// - Parameters:
  ///   - prefix: The start of the file names, before the number.
  ///   - limit: The number of tokens at which a shard is full.
  init(_ prefix: String, in folder: String, vocabulary: TokenVocabulary, limit: Int, hasPrompts: Bool) {
    self.prefix = prefix
    self.folder = folder
    self.vocabulary = vocabulary
    self.limit = limit
    self.hasPrompts = hasPrompts
  }

  /// Adds a document. Returns an event if the document completed a shard.
  mutating func append(_ document: EncodedDocument) throws -> PreparationEvent? {
    let writer = try self.writer ?? begin()
    try writer.append(document.tokens, prompt: document.prompt)
    part.documents += 1
    part.tokens += document.tokens.count
    part.bytes += document.bytes
    return writer.tokenCount >= limit ? try finish() : nil
  }

  /// Completes the current shard, if any.
  mutating func finish() throws -> PreparationEvent? {
    guard let writer, let name = part.shards.last else { return nil }
    try writer.finish()
    self.writer = nil
    return .wroteShard(name: name, documents: writer.documentCount, tokens: writer.tokenCount)
  }

  private mutating func begin() throws -> TokenShardWriter {
    let number = String(part.shards.count)
    let name = "\(prefix)-\(String(repeating: "0", count: max(0, 5 - number.count)))\(number).calmtokens"
    let writer = try TokenShardWriter(
      path: (folder as NSString).appendingPathComponent(name), vocabulary: vocabulary,
      hasPrompts: hasPrompts)
    part.shards.append(name)
    self.writer = writer
    return writer
  }
}
