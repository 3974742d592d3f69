import CALMSupport
import Foundation

/// The manifest of one part of a data set: the content of its `part.json`.
public struct DataPartManifest: Codable, Equatable, Sendable {
  /// The name of the file in the folder.
  public static let fileName = "part.json"
  /// The current version of the format.
  public static let currentVersion = 1

  /// A file of the corpus.
  public struct File: Codable, Equatable, Sendable {
    /// The name, as given.
    public var name: String
    /// The size in bytes, as stored.
    public var size: Int
    /// The number of documents in the file, those of other parts included; nil if the part does not read the file.
    public var documents: Int?
    /// The number of malformed lines that were skipped in the whole file; nil if the part does not read the file.
    public var skippedLines: Int?
    /// The number of documents of the whole file in which invalid bytes were replaced by U+FFFD; nil if the part does
    /// not read the file.
    public var repairedDocuments: Int?
  }

  /// The settings that determine the data set. They are the same in all parts.
  public struct Settings: Codable, Equatable, Sendable {
    /// The fraction of documents used for validation.
    public var validationFraction: Double
    /// The maximum number of validation documents.
    public var validationMaxDocuments: Int
    /// Determines the validation documents.
    public var seed: UInt64
    /// The number of tokens at which a shard is complete.
    public var tokensPerShard: Int
    /// Whether documents have prompts.
    public var hasPrompts: Bool
    /// How the files are read.
    public var reading: CorpusOptions
  }

  /// The version of the format.
  public var version = DataPartManifest.currentVersion
  /// The part.
  public var part: CorpusPart
  /// The program that created the part.
  public var createdBy: String
  /// The hash of the tokenizer, as in every shard.
  public var tokenizerHash: String
  /// The number of ids of the tokenizer.
  public var vocabularySize: Int
  /// The id that ends a document.
  public var endOfText: Int32
  /// The settings of the data set.
  public var settings: Settings
  /// All files of the corpus, in reading order.
  public var files: [File]
  /// The documents of the part, in the order of the corpus, and the shards that contain them.
  public var content: DataSetManifest.Part
  /// The CRC-32 of the file with the size of each document.
  public var sizesChecksum: UInt32
  /// The CRC-32 of each additional file of the data set by name.
  public var attachments: [String: UInt32]

  /// Reads the `part.json` of a folder.
  ///
  /// - Throws: ``DataPartError/notAPart(path:reason:)``.
  public init(path: String) throws(DataPartError) {
    guard let data = FileManager.default.contents(atPath: path.appendingName(Self.fileName)) else {
      let exists = FileManager.default.fileExists(atPath: path)
      throw .notAPart(path: path, reason: exists ? "no readable \(Self.fileName)" : "no such folder")
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let manifest = try? decoder.decode(Self.self, from: data) else {
      throw .notAPart(path: path, reason: "\(Self.fileName) is damaged")
    }
    guard manifest.version == Self.currentVersion else {
      throw .notAPart(
        path: path, reason: "version \(manifest.version), but only version \(Self.currentVersion) is supported")
    }
    self = manifest
  }

  init(
    part: CorpusPart, preparation: DataPreparation, reading: CorpusOptions, files: [File],
    content: DataSetManifest.Part, sizesChecksum: UInt32
  ) {
    self.part = part
    createdBy = preparation.createdBy
    tokenizerHash = preparation.vocabulary.tokenizerHash
    vocabularySize = preparation.vocabulary.size
    endOfText = preparation.vocabulary.endOfText
    settings = Settings(
      validationFraction: preparation.validationFraction, validationMaxDocuments: preparation.validationMaxDocuments,
      seed: preparation.seed, tokensPerShard: preparation.tokensPerShard, hasPrompts: preparation.hasPrompts,
      reading: reading)
    self.files = files
    self.content = content
    self.sizesChecksum = sizesChecksum
    attachments = preparation.attachments.mapValues { $0.withUnsafeBytes { CRC32.checksum(of: $0) } }
  }

  /// The bytes of `part.json`.
  func encoded() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return try encoder.encode(self) + Data("\n".utf8)
  }

  /// The preparation that the part is a part of, without attachments.
  var preparation: DataPreparation {
    var preparation = DataPreparation(
      vocabulary: TokenVocabulary(tokenizerHash: tokenizerHash, size: vocabularySize, endOfText: endOfText),
      createdBy: createdBy)
    preparation.validationFraction = settings.validationFraction
    preparation.validationMaxDocuments = settings.validationMaxDocuments
    preparation.seed = settings.seed
    preparation.tokensPerShard = settings.tokensPerShard
    preparation.hasPrompts = settings.hasPrompts
    return preparation
  }
}
