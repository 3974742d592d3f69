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
    precondition((0...1).contains(validationFraction), "DataPreparation: validationFraction \(validationFraction)")
    precondition(tokensPerShard > 0 && threads > 0, "DataPreparation: tokensPerShard and threads must be positive")
    let replacement = try AtomicFolder(at: folder, replacing: try mustReplace(folder))
    var manifest = DataSetManifest(
      createdBy: createdBy, tokenizerHash: vocabulary.tokenizerHash, vocabularySize: vocabulary.size,
      endOfText: vocabulary.endOfText, seed: seed, train: .init(), validation: .init(), sources: source.names,
      skippedLines: 0, repairedDocuments: 0)
    func sequence(_ split: DataSplit) -> ShardSequence {
      ShardSequence(
        split, in: replacement.temporaryPath, vocabulary: vocabulary, limit: tokensPerShard, hasPrompts: hasPrompts)
    }
    var (train, validation) = (sequence(.train), sequence(.validation))
    func report(_ event: PreparationEvent?) throws {
      if let event, try progress(event) == .stop { throw DataSetError.stopped }
    }

    while let portion = try nextPortion(of: source) {
      let encoded = try Self.encode(portion, threads: threads, with: encode)
      for (document, (tokens, prompt)) in zip(portion, encoded) {
        let bytes = document.bytes
        if isForValidation(document.ordinal, alreadyChosen: validation.part.documents) {
          try report(try validation.append(tokens, prompt: prompt, bytes: bytes))
        } else {
          try report(try train.append(tokens, prompt: prompt, bytes: bytes))
        }
      }
      try report(.encoded(source.progress, tokens: train.part.tokens + validation.part.tokens))
    }
    if train.part.documents == 0 { throw DataSetError.noDocuments }
    try report(try train.finish())
    try report(try validation.finish())
    (manifest.train, manifest.validation) = (train.part, validation.part)
    manifest.skippedLines = source.progress.skippedLines
    manifest.repairedDocuments = source.progress.repairedDocuments
    try write(manifest, into: replacement.temporaryPath)
    try replacement.commit()
    return manifest
  }

  /// Whether the target is a data set to replace.
  private func mustReplace(_ folder: String) throws -> Bool {
    AtomicFolder.recover(folder)
    if AtomicFolder.isFree(folder) { return false }
    let isDataSet = (try? TokenDataSet.manifest(path: folder)) != nil
    guard isDataSet && overwrite else { throw DataSetError.targetExists(path: folder, isDataSet: isDataSet) }
    return true
  }

  /// The first document is always used for training, so that the training part is never empty.
  private func isForValidation(_ ordinal: Int, alreadyChosen: Int) -> Bool {
    guard ordinal > 0, alreadyChosen < validationMaxDocuments else { return false }
    let fraction = Double(StableHash.combine(seed, UInt64(ordinal)) >> 11) * 0x1p-53
    return fraction < validationFraction
  }

  private func nextPortion(of source: some TextSource) throws -> [Document]? {
    var documents: [Document] = []
    var bytes = 0
    while bytes < Self.portionSize, let document = try source.next() {
      bytes += document.bytes
      documents.append(document)
    }
    return documents.isEmpty ? nil : documents
  }

  /// Returns the token ids of each document in order, and the length of its prompt. Prompt and completion are encoded
  /// separately, because generation from a prompt cannot produce a token across the boundary either.
  private static func encode(
    _ documents: [Document], threads: Int, with encode: @escaping @Sendable (String) throws -> [Int32]
  ) throws -> [EncodedDocument] {
    let results = EncodingResults(count: documents.count)
    DispatchQueue.concurrentPerform(iterations: min(threads, documents.count)) { _ in
      while let index = results.claim() {
        results.store(
          Result {
            let prompt = try documents[index].prompt.map(encode) ?? []
            return (prompt + (try encode(documents[index].text)), prompt.count)
          }, at: index)
      }
    }
    return try results.all()
  }

  private func write(_ manifest: DataSetManifest, into folder: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    var files = attachments
    files[DataSetManifest.fileName] = try encoder.encode(manifest) + Data("\n".utf8)
    for (name, data) in files { try AtomicFile.write(data, to: (folder as NSString).appendingPathComponent(name)) }
  }
}

/// The token ids of a document and the length of its prompt.
private typealias EncodedDocument = (tokens: [Int32], prompt: Int)

/// Results of several threads, each of which claims the next unclaimed document.
private final class EncodingResults: @unchecked Sendable {
  private let lock = NSLock()
  private var next = 0
  private var results: [Result<EncodedDocument, any Error>]
  private var failed = false

  init(count: Int) {
    results = Array(repeating: .success(([], 0)), count: count)
  }

  func claim() -> Int? {
    lock.withLock {
      guard next < results.count, !failed else { return nil }
      next += 1
      return next - 1
    }
  }

  func store(_ result: Result<EncodedDocument, any Error>, at index: Int) {
    lock.withLock {
      results[index] = result
      if case .failure = result { failed = true }
    }
  }

  func all() throws -> [EncodedDocument] { try lock.withLock { try results.map { try $0.get() } } }
}
