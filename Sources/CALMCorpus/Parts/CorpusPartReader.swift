/// Reads the documents of one part of a corpus.
///
/// Files that belong to other parts are not opened. A file that several parts share is read by each of them.
///
/// A reader must not be used by two threads at once.
public final class CorpusPartReader: TextSource {
  /// The part.
  public let part: CorpusPart
  /// The options of reading.
  public let options: CorpusOptions
  /// The files of the whole corpus, with the content of those that have been read.
  private(set) var contents: [DataPartManifest.File]

  private let files: [CorpusFile]
  private let division: CorpusDivision
  private let totalBytes: Int
  private var nextFile = 0
  private var current: FileDocuments?
  private var finishedBytes = 0
  private var documents = 0
  private var counts = FileDocuments.Counts()

  /// - Throws: ``DataPartError/indivisible(source:)`` if the size of an input is unknown.
  fileprivate init(_ part: CorpusPart, files: [CorpusFile], options: CorpusOptions) throws {
    contents = try files.map { file in
      guard let size = file.size else { throw DataPartError.indivisible(source: file.displayName) }
      return DataPartManifest.File(name: file.displayName, size: size)
    }
    let division = CorpusDivision(sizes: contents.map(\.size), count: part.count)
    (self.part, self.files, self.options, self.division) = (part, files, options, division)
    totalBytes = contents.indices.reduce(0) { total, file in
      division.readers(ofFile: file).contains(part.number) ? total + (files[file].size ?? 0) : total
    }
  }

  /// Returns the next document of the part, or nil after the last. Its ordinal is its number in the part.
  ///
  /// - Throws: ``CorpusError`` if an input cannot be read. The reader cannot continue after an error.
  public func next() throws -> Document? {
    while true {
      guard let current else {
        guard try openNext() else { return nil }
        continue
      }
      guard var document = try current.next(counts: &counts) else {
        try finish(current)
        continue
      }
      let file = nextFile - 1
      let index = contents[file].documents ?? 0
      contents[file].documents = index + 1
      if division.owner(ofFile: file, document: index) == part.number {
        document.ordinal = documents
        documents += 1
        return document
      }
    }
  }

  /// The progress of reading the part's files. Skipped lines and repaired documents count in whole files.
  public var progress: CorpusProgress {
    let read = contents.reduce(into: counts) { total, file in
      total.skippedLines += file.skippedLines ?? 0
      total.repairedDocuments += file.repairedDocuments ?? 0
    }
    return CorpusProgress(
      bytesRead: finishedBytes + (current?.filePosition ?? 0), totalBytes: totalBytes, documents: documents,
      skippedLines: read.skippedLines, repairedDocuments: read.repairedDocuments)
  }

  /// The names of all files of the corpus in reading order.
  public var names: [String] { contents.map(\.name) }

  /// Opens the next file that has documents of the part. Returns false after the last.
  private func openNext() throws -> Bool {
    while nextFile < files.count {
      nextFile += 1
      guard division.readers(ofFile: nextFile - 1).contains(part.number) else { continue }
      current = try FileDocuments(files[nextFile - 1], options: options)
      contents[nextFile - 1].documents = 0
      return true
    }
    return false
  }

  private func finish(_ finished: FileDocuments) throws {
    if finished.file.folder == nil && finished.isEmpty { throw CorpusError.empty(path: finished.file.displayName) }
    contents[nextFile - 1].skippedLines = counts.skippedLines
    contents[nextFile - 1].repairedDocuments = counts.repairedDocuments
    counts = FileDocuments.Counts()
    finishedBytes += finished.filePosition
    current = nil
  }
}

extension CorpusReader {
  /// A reader of one part of the same files.
  ///
  /// - Throws: ``DataPartError/indivisible(source:)`` if the size of an input is unknown, as that of standard input.
  public func reader(of part: CorpusPart) throws -> CorpusPartReader {
    try CorpusPartReader(part, files: files, options: options)
  }
}
