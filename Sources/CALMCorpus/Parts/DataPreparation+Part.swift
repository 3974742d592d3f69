import CALMSupport
import Foundation

extension DataPreparation {
  /// Reads one part of a corpus and writes it to `folder`, from where ``DataPartJoin`` makes it part of the data set.
  ///
  /// The folder contains the part's documents as `documents-00000.calmtokens` and so on, their sizes, the
  /// ``attachments`` and `part.json`. It is either complete or absent. Training and validation documents are told apart
  /// when the parts are joined, because this takes the number of a document in the corpus.
  ///
  /// - Parameters: as of ``run(_:into:encode:progress:)``.
  /// - Returns: The manifest of the part, which may have no documents.
  /// - Throws: ``DataPartError``, ``DataSetError/stopped``, and errors of `source`, `encode` and the file system.
  public func runPart(
    _ source: CorpusPartReader, into folder: String, encode: @escaping @Sendable (String) throws -> [Int32],
    progress: (PreparationEvent) throws -> Decision = { _ in .continue }
  ) throws -> DataPartManifest {
    check()
    let replacement = try AtomicFolder(
      at: folder, overwrite: overwrite, isReplaceable: { (try? DataPartManifest(path: $0)) != nil },
      refusal: { DataPartError.targetExists(path: folder, isPart: $0) })
    var shards = ShardSequence(
      "documents", in: replacement.temporaryPath, vocabulary: vocabulary, limit: tokensPerShard,
      hasPrompts: hasPrompts)
    let sizes = try DocumentSizes.Writer(in: replacement.temporaryPath)
    func report(_ event: PreparationEvent?) throws {
      if let event, try progress(event) == .stop { throw DataSetError.stopped }
    }
    while let portion = try nextPortion(of: source) {
      for document in try encoded(portion, with: encode) {
        try sizes.append(document.bytes)
        try report(try shards.append(document))
      }
      try report(.encoded(source.progress, tokens: shards.part.tokens))
    }
    try report(try shards.finish())
    let manifest = DataPartManifest(
      part: source.part, preparation: self, reading: source.options, files: source.contents, content: shards.part,
      sizesChecksum: try sizes.finish())
    var files = attachments
    files[DataPartManifest.fileName] = try manifest.encoded()
    for (name, data) in files { try AtomicFile.write(data, to: replacement.temporaryPath.appendingName(name)) }
    try replacement.commit()
    return manifest
  }
}
