import CALMSupport
import CALMTokenizer
import Foundation

/// The steps from text to model input: text → tokenizer → data set → packed sequences.
///
///     let tokenizer = try TextPipeline.trainTokenizer(vocabularySize: 8192, on: CorpusReader(paths: ["books"]))
///     let pipeline = try TextPipeline(tokenizer, createdBy: "example 1.0")
///     try pipeline.prepare(CorpusReader(paths: ["books"]), into: "data")
///     let sequences = try pipeline.sequences(
///       of: TokenDataSet(path: "data").train, chunkSize: 4, sequenceChunks: 64)
public struct TextPipeline: Sendable {
  /// Encodes the text.
  public let tokenizer: Tokenizer
  /// The settings of ``prepare(_:into:progress:)``. The data set includes the tokenizer as `tokenizer.json`.
  public var preparation: DataPreparation

  /// A pipeline with the default settings of a preparation.
  ///
  /// - Parameters:
  ///   - path: the path of the tokenizer, for the error.
  ///   - endOfText: the id that ends each document; nil for the tokenizer's own.
  ///   - createdBy: the program's name and version, for the record.
  /// - Throws: ``DataSetError/noEndToken(_:)``.
  public init(
    _ tokenizer: Tokenizer, at path: String = "tokenizer.json", endOfText: Int32? = nil, createdBy: String
  ) throws {
    self.tokenizer = tokenizer
    preparation = DataPreparation(
      vocabulary: try TokenVocabulary(of: tokenizer, at: path, endOfText: endOfText), createdBy: createdBy)
    preparation.attachments = ["tokenizer.json": Data(tokenizer.fileBytes())]
  }

  /// Trains a byte-level BPE tokenizer on all documents of `source`.
  ///
  /// - Parameter progress: called after each document.
  public static func trainTokenizer(
    vocabularySize: Int, on source: some TextSource, progress: () throws -> Void = {}
  ) throws -> Tokenizer {
    var trainer = try BPETrainer(vocabularySize: vocabularySize)
    while let document = try source.next() {
      trainer.add(document.text)
      try progress()
    }
    return try trainer.train()
  }

  /// Encodes all documents of `source` into a data set at `folder`.
  ///
  /// - Parameter progress: called with each event; its result can stop the preparation.
  /// - Throws: the errors of ``DataPreparation/run(_:into:encode:progress:)``.
  @discardableResult
  public func prepare(
    _ source: some TextSource, into folder: String,
    progress: (PreparationEvent) throws -> Decision = { _ in .continue }
  ) throws -> DataSetManifest {
    try preparation.run(source, into: folder, encode: { [tokenizer] in tokenizer.encode($0) }, progress: progress)
  }

  /// Encodes the documents of one part of a corpus into a folder that ``DataPartJoin`` reads.
  ///
  /// - Parameter progress: called with each event; its result can stop the preparation.
  /// - Throws: the errors of ``DataPreparation/runPart(_:into:encode:progress:)``.
  @discardableResult
  public func preparePart(
    _ source: CorpusPartReader, into folder: String,
    progress: (PreparationEvent) throws -> Decision = { _ in .continue }
  ) throws -> DataPartManifest {
    try preparation.runPart(source, into: folder, encode: { [tokenizer] in tokenizer.encode($0) }, progress: progress)
  }

  /// Packs the documents of shards into sequences.
  ///
  /// - Parameter padding: the model's padding token; nil for the tokenizer's, or the end of text where it has none.
  /// - Throws: ``PackingError``.
  public func sequences(
    of shards: [TokenShard], chunkSize: Int, sequenceChunks: Int, padding: Int? = nil,
    remainder: PackedSequences.Remainder = .dropped
  ) throws -> PackedSequences {
    try PackedSequences(
      shards: shards, chunkSize: chunkSize, sequenceChunks: sequenceChunks,
      padding: padding.map(Int32.init) ?? tokenizer.padToken, remainder: remainder)
  }
}
