import CALMSupport
import Foundation

/// Writes the documents of a data set to the shards of its splits.
///
/// The files depend only on the documents, their order and the settings of the preparation.
struct DataSetWriter {
  private let preparation: DataPreparation
  private let folder: String
  private var train: ShardSequence
  private var validation: ShardSequence

  /// A writer into an existing folder, which nobody else uses.
  init(_ preparation: DataPreparation, in folder: String) {
    func sequence(_ split: DataSplit) -> ShardSequence {
      ShardSequence(
        split.rawValue, in: folder, vocabulary: preparation.vocabulary, limit: preparation.tokensPerShard,
        hasPrompts: preparation.hasPrompts)
    }
    (self.preparation, self.folder) = (preparation, folder)
    (train, validation) = (sequence(.train), sequence(.validation))
  }

  /// The number of tokens so far.
  var tokens: Int { train.part.tokens + validation.part.tokens }

  /// Adds a document, given its number in the corpus. Returns an event if the document completed a shard.
  mutating func append(_ document: EncodedDocument, ordinal: Int) throws -> PreparationEvent? {
    isForValidation(ordinal) ? try validation.append(document) : try train.append(document)
  }

  /// Completes the shards, and writes the attachments and `data.json`.
  ///
  /// - Throws: ``DataSetError/noDocuments``, and errors of the file system and of `report`.
  mutating func finish(
    sources: [String], skippedLines: Int, repairedDocuments: Int, report: (PreparationEvent?) throws -> Void
  ) throws -> DataSetManifest {
    if train.part.documents == 0 { throw DataSetError.noDocuments }
    try report(try train.finish())
    try report(try validation.finish())
    let vocabulary = preparation.vocabulary
    let manifest = DataSetManifest(
      createdBy: preparation.createdBy, tokenizerHash: vocabulary.tokenizerHash, vocabularySize: vocabulary.size,
      endOfText: vocabulary.endOfText, seed: preparation.seed, train: train.part, validation: validation.part,
      sources: sources, skippedLines: skippedLines, repairedDocuments: repairedDocuments)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    var files = preparation.attachments
    files[DataSetManifest.fileName] = try encoder.encode(manifest) + Data("\n".utf8)
    for (name, data) in files { try AtomicFile.write(data, to: folder.appendingName(name)) }
    return manifest
  }

  /// The first document is always used for training, so that the training part is never empty.
  private func isForValidation(_ ordinal: Int) -> Bool {
    guard ordinal > 0, validation.part.documents < preparation.validationMaxDocuments else { return false }
    let fraction = Double(StableHash.combine(preparation.seed, UInt64(ordinal)) >> 11) * 0x1p-53
    return fraction < preparation.validationFraction
  }
}

extension AtomicFolder {
  /// Creates the temporary folder of a target that is free, or that is replaced because the caller allows it.
  ///
  /// - Parameters:
  ///   - isReplaceable: Whether the existing folder at a path is of the kind to be written.
  ///   - refusal: The error for an existing target, given whether it is of that kind.
  convenience init(
    at folder: String, overwrite: Bool, isReplaceable: (String) -> Bool, refusal: (Bool) -> any Error
  ) throws {
    Self.recover(folder)
    let isFree = Self.isFree(folder)
    if !isFree {
      let isKnown = isReplaceable(folder)
      guard isKnown && overwrite else { throw refusal(isKnown) }
    }
    try self.init(at: folder, replacing: !isFree)
  }
}
