import CALMSupport
import Foundation

/// A progress event of preparing a data set.
public enum PreparationEvent: Sendable, Equatable {
  /// Documents were read and encoded; `tokens` is the total so far.
  case encoded(CorpusProgress, tokens: Int)
  /// A shard is complete.
  case wroteShard(name: String, documents: Int, tokens: Int)
}

/// Tokenizes text into a data set, which is a folder of token shards.
///
/// The folder contains `train-00000.calmtokens` and so on, `validation-00000.calmtokens`, `data.json` and the
/// ``attachments``. The assignment of documents to training and validation depends only on their numbers and the seed.
/// The data set is written to a temporary folder next to the target, which is renamed at the end, so it is either
/// complete or absent. Memory use is bounded by a few megabytes of text and the largest document.
public struct DataPreparation: Sendable {
  /// The vocabulary of the tokenizer that `encode` uses.
  public var vocabulary: TokenVocabulary
  /// The fraction of documents used for validation, from 0 to 1.
  public var validationFraction = 0.01
  /// The maximum number of validation documents.
  public var validationMaxDocuments = 1_000
  /// Determines the validation documents.
  public var seed: UInt64 = 0
  /// The number of tokens at which a shard is complete.
  public var tokensPerShard = 1 << 27
  /// The number of encoding threads.
  public var threads = 2
  /// Whether documents have prompts, whose lengths are stored in the shards.
  public var hasPrompts = false
  /// Whether an existing data set is replaced.
  public var overwrite = false
  /// The name and version of the program, recorded in the data set.
  public var createdBy: String
  /// Additional files of the data set by name, such as `tokenizer.json`.
  public var attachments: [String: Data] = [:]

  /// The amount of text to encode at a time, in bytes of UTF-8.
  private static let portionSize = 4 << 20

  /// A preparation with default settings, which can be changed before ``run(_:into:encode:progress:)``.
  public init(vocabulary: TokenVocabulary, createdBy: String) {
    self.vocabulary = vocabulary
    self.createdBy = createdBy
  }

  /// Reads all documents of `source` and writes the data set to `folder`.
  ///
  /// - Parameters:
  ///   - encode: Returns the token ids of a text without an end-of-text id; called from several threads.
  ///   - progress: Called after each event; its result can stop the preparation.
  /// - Returns: The manifest of the data set.
  /// - Throws: ``DataSetError``, and errors of `source`, `encode` and the file system. After an error, no part of the
  ///   new data set remains, and an existing one is unchanged.
  public func run(
    _ source: some TextSource, into folder: String, encode: @escaping @Sendable (String) throws -> [Int32],
    progress: (PreparationEvent) throws -> Decision = { _ in .continue }
  ) throws -> DataSetManifest {
    check()
    let replacement = try AtomicFolder(
      at: folder, overwrite: overwrite, isReplaceable: { (try? TokenDataSet.manifest(path: $0)) != nil },
      refusal: { DataSetError.targetExists(path: folder, isDataSet: $0) })
    var writer = DataSetWriter(self, in: replacement.temporaryPath)
    func report(_ event: PreparationEvent?) throws {
      if let event, try progress(event) == .stop { throw DataSetError.stopped }
    }
    while let portion = try nextPortion(of: source) {
      for (document, encoded) in zip(portion, try encoded(portion, with: encode)) {
        try report(try writer.append(encoded, ordinal: document.ordinal))
      }
      try report(.encoded(source.progress, tokens: writer.tokens))
    }
    let counts = source.progress
    let manifest = try writer.finish(
      sources: source.names, skippedLines: counts.skippedLines, repairedDocuments: counts.repairedDocuments,
      report: report)
    try replacement.commit()
    return manifest
  }

  /// Checks the settings that have no representation in their types.
  func check() {
    precondition((0...1).contains(validationFraction), "DataPreparation: validationFraction \(validationFraction)")
    precondition(tokensPerShard > 0 && threads > 0, "DataPreparation: tokensPerShard and threads must be positive")
  }

  /// The next documents of the source, some megabytes of text; nil after the last.
  func nextPortion(of source: some TextSource) throws -> [Document]? {
    var documents: [Document] = []
    var bytes = 0
    while bytes < Self.portionSize, let document = try source.next() {
      bytes += document.bytes
      documents.append(document)
    }
    return documents.isEmpty ? nil : documents
  }
}
