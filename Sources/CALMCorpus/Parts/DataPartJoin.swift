import CALMSupport
import Foundation

/// The parts of a data set, complete and of the same preparation, which can be joined.
///
/// The joined data set is byte for byte that of ``DataPreparation/run(_:into:encode:progress:)`` on the whole corpus.
/// The documents pass through memory one at a time, without their text.
public struct DataPartJoin {
  /// The number of tokens of all parts.
  public var tokens: Int { parts.reduce(0) { $0 + $1.manifest.content.tokens } }

  /// In the order of their numbers.
  private let parts: [DataPart]
  private let files: [DataPartManifest.File]
  private let division: CorpusDivision

  /// Opens the parts in `folders`, in any order.
  ///
  /// - Throws: ``DataPartError`` if a part is missing, repeated, unfinished, damaged or of another preparation;
  ///   ``TokenShardError`` if a shard is damaged.
  public init(folders: [String]) throws {
    precondition(!folders.isEmpty, "DataPartJoin: no folders")
    let manifests = try folders.map { (path: $0, manifest: try DataPartManifest(path: $0)) }
    let first = manifests[0]
    for other in manifests.dropFirst() {
      if let (property, value, expected) = other.manifest.difference(from: first.manifest) {
        throw DataPartError.different(
          path: other.path, other: first.path, property: property, value: value, otherValue: expected)
      }
    }
    let ordered = manifests.sorted { $0.manifest.part.number < $1.manifest.part.number }
    for (one, next) in zip(ordered, ordered.dropFirst()) where one.manifest.part == next.manifest.part {
      throw DataPartError.repeated(part: one.manifest.part, first: one.path, second: next.path)
    }
    let count = first.manifest.part.count
    let missing = Set(1...count).subtracting(ordered.map(\.manifest.part.number))
    if !missing.isEmpty { throw DataPartError.missing(numbers: missing.sorted(), count: count) }
    parts = try ordered.map { try DataPart(path: $0.path) }
    division = CorpusDivision(sizes: first.manifest.files.map(\.size), count: count)
    files = try Self.contents(of: parts, division)
  }

  /// Writes the data set to `folder`.
  ///
  /// - Parameters:
  ///   - overwrite: Whether an existing data set is replaced.
  ///   - progress: Called with the number of tokens so far; its result can stop the join.
  /// - Returns: The manifest of the data set.
  /// - Throws: ``DataSetError``, ``DataPartError``, ``TokenShardError``, and errors of the file system. After an error,
  ///   no part of the new data set remains, and an existing one is unchanged.
  public func run(
    into folder: String, overwrite: Bool = false, progress: (Int) throws -> Decision = { _ in .continue }
  ) throws -> DataSetManifest {
    let replacement = try AtomicFolder(
      at: folder, overwrite: overwrite, isReplaceable: { (try? TokenDataSet.manifest(path: $0)) != nil },
      refusal: { DataSetError.targetExists(path: folder, isDataSet: $0) })
    var cursors = Array(repeating: DataPart.Cursor(), count: parts.count)
    var preparation = parts[0].manifest.preparation
    preparation.attachments = try parts[0].attachments()
    var writer = DataSetWriter(preparation, in: replacement.temporaryPath)
    var ordinal = 0
    for (file, content) in files.enumerated() {
      for index in 0..<(content.documents ?? 0) {
        let part = division.owner(ofFile: file, document: index) - 1
        guard let document = try parts[part].next(&cursors[part]) else { throw Self.wrongCount(parts[part]) }
        _ = try writer.append(document, ordinal: ordinal)
        ordinal += 1
        if ordinal % 1024 == 0, try progress(writer.tokens) == .stop { throw DataSetError.stopped }
      }
    }
    for index in parts.indices where try parts[index].next(&cursors[index]) != nil {
      throw Self.wrongCount(parts[index])
    }
    if try progress(writer.tokens) == .stop { throw DataSetError.stopped }
    let manifest = try writer.finish(
      sources: files.map(\.name), skippedLines: files.reduce(0) { $0 + ($1.skippedLines ?? 0) },
      repairedDocuments: files.reduce(0) { $0 + ($1.repairedDocuments ?? 0) }, report: { _ in })
    try replacement.commit()
    return manifest
  }

  private static func wrongCount(_ part: DataPart) -> DataPartError {
    .damaged(path: part.path, reason: "\(part.manifest.content.documents) documents do not fit the files")
  }

  /// The files as all of their readers have found them.
  private static func contents(of parts: [DataPart], _ division: CorpusDivision) throws -> [DataPartManifest.File] {
    try parts[0].manifest.files.indices.map { file in
      let readers = division.readers(ofFile: file).map { parts[$0 - 1] }
      for reader in readers where reader.manifest.files[file] != readers[0].manifest.files[file] {
        throw DataPartError.sourceChanged(
          name: reader.manifest.files[file].name, first: readers[0].path, second: reader.path)
      }
      return readers[0].manifest.files[file]
    }
  }
}
