import Foundation

/// Reads documents from text files, JSON Lines files, folders, patterns and standard input, one at a time.
///
/// Files are read 1 MB at a time. Files ending in `.gz` or `.zst` are decompressed by `gzip -dc` and `zstd -dc`. Memory
/// use is bounded by the largest document. Line endings within a document are preserved, byte-order marks are dropped,
/// and empty documents are skipped.
///
///     let reader = try CorpusReader(paths: ["books", "more/*.jsonl.zst"])
///     while let document = try reader.next() { … }
///
/// A reader must not be used by two threads at once.
public final class CorpusReader: TextSource {
  /// The options of the reader.
  public let options: CorpusOptions

  let files: [CorpusFile]
  private let totalBytes: Int?
  private var nextFile = 0
  private var current: FileDocuments?
  /// The size of the files that have been read completely.
  private var finishedBytes = 0
  private var documents = 0
  /// Whether no document has been found so far in the current folder.
  private var folderIsEmpty = true
  private var counts = FileDocuments.Counts()

  /// Finds the files at `paths` without reading them.
  ///
  /// - Parameter paths: Files; folders, which are searched recursively for files with known extensions; patterns with
  ///   `*`, `?` and `[…]`; `-` for standard input.
  /// - Throws: ``CorpusError`` if an input is missing, empty, unreadable or contains no text files.
  public init(paths: [String], options: CorpusOptions = CorpusOptions()) throws {
    self.options = options
    files = try CorpusFile.expand(paths, format: options.format)
    totalBytes = files.contains { $0.size == nil } ? nil : files.reduce(0) { $0 + ($1.size ?? 0) }
  }

  /// Returns the next document, or nil after the last.
  ///
  /// - Throws: ``CorpusError`` if an input cannot be read. The reader cannot continue after an error.
  public func next() throws -> Document? {
    while true {
      if let current {
        if var document = try current.next(counts: &counts) {
          document.ordinal = documents
          documents += 1
          return document
        }
        try finish(current)
      }
      guard nextFile < files.count else { return nil }
      current = try FileDocuments(files[nextFile], options: options)
      nextFile += 1
    }
  }

  /// The progress of reading the files, which may be up to 1 MB ahead of the last document.
  public var progress: CorpusProgress {
    CorpusProgress(
      bytesRead: finishedBytes + (current?.filePosition ?? 0), totalBytes: totalBytes, documents: documents,
      skippedLines: counts.skippedLines, repairedDocuments: counts.repairedDocuments)
  }

  /// Whether any of the files are plain text.
  public var readsPlainText: Bool { files.contains { !$0.isJSONLines } }

  /// Whether any of the files are JSON Lines.
  public var readsJSONLines: Bool { files.contains(where: \.isJSONLines) }

  /// The names of the files in reading order.
  public var names: [String] { files.map(\.displayName) }

  private func finish(_ finished: FileDocuments) throws {
    finishedBytes += finished.filePosition
    current = nil
    guard let folder = finished.file.folder else {
      if finished.isEmpty { throw CorpusError.empty(path: finished.file.displayName) }
      return
    }
    // Single files of a folder may be empty, but not all of them.
    if !finished.isEmpty { folderIsEmpty = false }
    if nextFile == files.count || files[nextFile].folder != folder {
      if folderIsEmpty { throw CorpusError.noText(folder: folder, endings: CorpusFile.endings) }
      folderIsEmpty = true
    }
  }
}
