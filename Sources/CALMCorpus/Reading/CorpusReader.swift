import Foundation

/// Reads documents from text files, JSON lines, folders, patterns and standard input, one by one.
///
/// Files are read 1 MB at a time and files ending in `.gz` or `.zst` through `gzip -dc` and `zstd -dc`, so memory is
/// bounded by the largest document. Line ends stay as they are within a document; byte-order marks are dropped; empty
/// documents are passed over.
///
///     let reader = try CorpusReader(paths: ["books", "more/*.jsonl.zst"])
///     while let document = try reader.next() { … }
///
/// Not for use by two threads at once.
public final class CorpusReader: TextSource {
  /// The settings it reads with.
  public let options: CorpusOptions

  private let files: [CorpusFile]
  private let totalBytes: Int?
  private var nextFile = 0
  private var current: FileDocuments?
  /// Bytes of the files already behind.
  private var finishedBytes = 0
  private var documents = 0
  /// True as long as the folder that is being read, if one is, has given no document.
  private var folderIsEmpty = true
  private var counts = FileDocuments.Counts()

  /// Finds the files that `paths` mean, without reading them.
  ///
  /// - Parameter paths: Files; folders, meaning every file of a known ending below them; patterns with `*`, `?` and
  ///   `[…]`; `-` for standard input.
  /// - Throws: ``CorpusError`` for what is missing, empty, unreadable or without text.
  public init(paths: [String], options: CorpusOptions = CorpusOptions()) throws {
    self.options = options
    files = try CorpusFile.expand(paths, format: options.format)
    totalBytes = files.contains { $0.size == nil } ? nil : files.reduce(0) { $0 + ($1.size ?? 0) }
  }

  /// The next document, or nil after the last.
  ///
  /// - Throws: ``CorpusError`` for what cannot be read; reading cannot go on after that.
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

  /// How far the files have been read; 1 MB may be read ahead of the last document.
  public var progress: CorpusProgress {
    CorpusProgress(
      bytesRead: finishedBytes + (current?.filePosition ?? 0), totalBytes: totalBytes, documents: documents,
      skippedLines: counts.skippedLines, repairedDocuments: counts.repairedDocuments)
  }

  /// Whether some of the files are plain text.
  public var readsPlainText: Bool { files.contains { !$0.isJSONLines } }

  /// Whether some of the files are JSON lines.
  public var readsJSONLines: Bool { files.contains(where: \.isJSONLines) }

  /// The files in the order they are read, as they were named or found.
  public var names: [String] { files.map(\.displayName) }

  private func finish(_ finished: FileDocuments) throws {
    finishedBytes += finished.filePosition
    current = nil
    guard let folder = finished.file.folder else {
      if finished.isEmpty { throw CorpusError.empty(path: finished.file.displayName) }
      return
    }
    // A file of a folder may hold nothing; the folder as a whole may not.
    if !finished.isEmpty { folderIsEmpty = false }
    if nextFile == files.count || files[nextFile].folder != folder {
      if folderIsEmpty { throw CorpusError.noText(folder: folder, endings: CorpusFile.endings) }
      folderIsEmpty = true
    }
  }
}
