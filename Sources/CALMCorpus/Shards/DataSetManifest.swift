import Foundation

/// The two parts of a prepared data set.
public enum DataSplit: String, Codable, Sendable, CaseIterable {
  /// What is trained on.
  case train
  /// What is set apart to measure on.
  case validation
}

/// What a prepared data set consists of: the content of its `data.json`.
public struct DataSetManifest: Codable, Equatable, Sendable {
  /// The file's name in the folder.
  public static let fileName = "data.json"
  /// The version of this description that is written.
  public static let currentVersion = 1

  /// The shards of one split and what they hold together.
  public struct Part: Codable, Equatable, Sendable {
    /// File names of the shards, in order.
    public var shards: [String]
    /// Documents in them.
    public var documents: Int
    /// Tokens in them, without end-of-text ids.
    public var tokens: Int
    /// Bytes of UTF-8 the documents had.
    public var bytes: Int

    /// A part, empty unless told otherwise.
    public init(shards: [String] = [], documents: Int = 0, tokens: Int = 0, bytes: Int = 0) {
      self.shards = shards
      self.documents = documents
      self.tokens = tokens
      self.bytes = bytes
    }
  }

  /// Version of this description.
  public var version = DataSetManifest.currentVersion
  /// The program that made the data set.
  public var createdBy: String
  /// The tokenizer's hash, as in every shard.
  public var tokenizerHash: String
  /// How many ids the tokenizer has.
  public var vocabularySize: Int
  /// The id that ends a document.
  public var endOfText: Int32
  /// The seed of the split.
  public var seed: UInt64
  /// What to train on.
  public var train: Part
  /// What to evaluate on.
  public var validation: Part
  /// The files the text came from.
  public var sources: [String]
  /// Malformed lines that were passed over.
  public var skippedLines: Int
  /// Documents in which bytes were replaced by U+FFFD.
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

  /// The part for `split`.
  public subscript(split: DataSplit) -> Part {
    get { split == .train ? train : validation }
    set { if split == .train { train = newValue } else { validation = newValue } }
  }
}
