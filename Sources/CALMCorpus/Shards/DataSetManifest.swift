import Foundation

/// The two splits of a prepared data set.
public enum DataSplit: String, Codable, Sendable, CaseIterable {
  /// The training split.
  case train
  /// The validation split.
  case validation
}

/// The manifest of a prepared data set: the content of its `data.json`.
public struct DataSetManifest: Codable, Equatable, Sendable {
  /// The name of the file in the folder.
  public static let fileName = "data.json"
  /// The current version of the format.
  public static let currentVersion = 1

  /// The shards of one split with their total sizes.
  public struct Part: Codable, Equatable, Sendable {
    /// The file names of the shards, in order.
    public var shards: [String]
    /// The number of documents.
    public var documents: Int
    /// The number of tokens, without end-of-text ids.
    public var tokens: Int
    /// The size of the documents in bytes of UTF-8.
    public var bytes: Int

    /// Creates a part, by default an empty one.
    public init(shards: [String] = [], documents: Int = 0, tokens: Int = 0, bytes: Int = 0) {
      self.shards = shards
      self.documents = documents
      self.tokens = tokens
      self.bytes = bytes
    }
  }

  /// The version of the format.
  public var version = DataSetManifest.currentVersion
  /// The program that created the data set.
  public var createdBy: String
  /// The hash of the tokenizer, as in every shard.
  public var tokenizerHash: String
  /// The number of ids of the tokenizer.
  public var vocabularySize: Int
  /// The id that ends a document.
  public var endOfText: Int32
  /// The seed that determined the split.
  public var seed: UInt64
  /// The training part.
  public var train: Part
  /// The validation part.
  public var validation: Part
  /// The names of the text files.
  public var sources: [String]
  /// The number of malformed lines that were skipped.
  public var skippedLines: Int
  /// The number of documents in which invalid bytes were replaced by U+FFFD.
  public var repairedDocuments: Int

  enum CodingKeys: String, CodingKey {
    case version, seed, train, validation, sources
    case createdBy = "created_by"
    case tokenizerHash = "tokenizer_hash"
    case vocabularySize = "vocabulary_size"
    case endOfText = "end_of_text"
    case skippedLines = "skipped_lines"
    case repairedDocuments = "repaired_documents"
  }

  /// The part of a split.
  public subscript(split: DataSplit) -> Part {
    get { split == .train ? train : validation }
    set { if split == .train { train = newValue } else { validation = newValue } }
  }
}
