import CALMSupport
import Foundation

/// What happens while a data set is prepared.
public enum PreparationEvent: Sendable, Equatable {
  /// More documents were read and encoded; tokens count all so far.
  case encoded(CorpusProgress, tokens: Int)
  /// A shard is complete.
  case wroteShard(name: String, documents: Int, tokens: Int)
}

/// Turns text into a folder of token shards.
///
/// The folder holds `train-00000.calmtokens` and so on, `validation-00000.calmtokens`, `data.json` and the
/// ``attachments``. Which documents are for validation depends on their number, the seed and nothing else. Everything
/// goes into a temporary folder beside the target that gets its name at the end, so the data set is complete or absent.
/// Memory is bounded by a few megabytes of text and the largest document.
public struct DataPreparation: Sendable {
  /// The tokenizer that `encode` stands for.
  public var vocabulary: TokenVocabulary
  /// The share of documents set apart for validation, 0 to 1.
  public var validationShare = 0.01
  /// No more documents than this are set apart.
  public var validationMaximum = 1_000
  /// Decides which documents are set apart.
  public var seed: UInt64 = 0
  /// A shard is full when it holds this many tokens or more.
  public var tokensPerShard = 1 << 27
  /// How many threads encode.
  public var threads = 2
  /// Whether documents come with prompts, whose length the shards then hold.
  public var hasPrompts = false
  /// Replaces a data set that stands at the target.
  public var overwrite = false
  /// The program's name and version, for the record.
  public var createdBy: String
  /// Files to put beside the shards, by name: the tokenizer's `tokenizer.json`.
  public var attachments: [String: Data] = [:]

  /// Text read before it is encoded, in bytes of UTF-8.
  private static let portionSize = 4 << 20

  /// A preparation with the usual settings; change them before ``run(_:into:encode:progress:)``.
  public init(vocabulary: TokenVocabulary, createdBy: String) {
    self.vocabulary = vocabulary
    self.createdBy = createdBy
  }

  /// Reads all documents of `source` and leaves the data set at `folder`.
  ///
  /// - Parameters:
  ///   - encode: Token ids of a text, without an end-of-text id; called from several threads.
  ///   - progress: Told what happens; its answer can stop the run.
  /// - Returns: What was written.
  /// - Throws: ``DataSetError``, and whatever `source`, `encode` and the disk throw. Nothing of the data set stays
  /// then, and an older one stays as it was.
  public func run(
    _ source: some TextSource, into folder: String, encode: @escaping @Sendable (String) throws -> [Int32],
    progress: (PreparationEvent) throws -> Decision = { _ in .continue }
  ) throws -> DataSetManifest {
    precondition((0...1).contains(validationShare), "DataPreparation: validationShare \(validationShare)")
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
    func tell(_ event: PreparationEvent?) throws {
      if let event, try progress(event) == .stop { throw DataSetError.stopped }
    }

    while let portion = try nextPortion(of: source) {
      let encoded = try Self.encode(portion, threads: threads, with: encode)
      for (document, (tokens, prompt)) in zip(portion, encoded) {
        let bytes = document.bytes
        if isForValidation(document.ordinal, alreadyChosen: validation.part.documents) {
          try tell(try validation.append(tokens, prompt: prompt, bytes: bytes))
        } else {
          try tell(try train.append(tokens, prompt: prompt, bytes: bytes))
        }
      }
      try tell(.encoded(source.progress, tokens: train.part.tokens + validation.part.tokens))
    }
    if train.part.documents == 0 { throw DataSetError.noDocuments }
    try tell(try train.finish())
    try tell(try validation.finish())
    (manifest.train, manifest.validation) = (train.part, validation.part)
    manifest.skippedLines = source.progress.skippedLines
    manifest.repairedDocuments = source.progress.repairedDocuments
    try write(manifest, into: replacement.temporaryPath)
    try replacement.commit()
    return manifest
  }

  /// Whether the target is a data set that gives way.
  private func mustReplace(_ folder: String) throws -> Bool {
    AtomicFolder.recover(folder)
    if AtomicFolder.isFree(folder) { return false }
    let isDataSet = (try? TokenDataSet.manifest(path: folder)) != nil
    guard isDataSet && overwrite else { throw DataSetError.targetExists(path: folder, isDataSet: isDataSet) }
    return true
  }

  /// The first document is always for training, so that no data set is without.
  private func isForValidation(_ ordinal: Int, alreadyChosen: Int) -> Bool {
    guard ordinal > 0, alreadyChosen < validationMaximum else { return false }
    let fraction = Double(StableHash.combine(seed, UInt64(ordinal)) >> 11) * 0x1p-53
    return fraction < validationShare
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

  /// The token ids of each document, in order, and how many of them are the prompt. Prompt and completion are encoded
  /// apart: no token reaches over the boundary, which a generation from the prompt could not do either.
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

/// Token ids of a document, and how many of the first are its prompt.
private typealias EncodedDocument = (tokens: [Int32], prompt: Int)

/// Results that several threads fill in, each taking the next document that nobody has taken.
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
