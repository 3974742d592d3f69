import Foundation

/// The documents of one file.
final class FileDocuments {
  /// Numbers of repaired and skipped parts.
  struct Counts {
    var skippedLines = 0
    var repairedDocuments = 0
  }

  let file: CorpusFile
  /// Whether no document has been found so far.
  private(set) var isEmpty = true

  private let options: CorpusOptions
  private let stream: ByteStream
  private let reader: LineReader
  private var finished = false
  private var paragraph: [UInt8] = []
  private var decoder = JSONStringDecoder()

  init(_ file: CorpusFile, options: CorpusOptions) throws {
    self.file = file
    self.options = options
    stream = try ByteStream(file)
    reader = LineReader(stream, expectedSize: file.compression == .none ? file.size : nil)
  }

  /// The number of bytes read from the file as stored.
  var filePosition: Int { stream.filePosition }

  /// Returns the next document; the caller sets its ordinal.
  func next(counts: inout Counts) throws -> Document? {
    if options.promptField != nil && !file.isJSONLines { throw CorpusError.noPrompts(path: file.displayName) }
    let document =
      if file.isJSONLines {
        try nextJSONLine(&counts)
      } else {
        switch options.documentUnit {
        case .file: try wholeFile(&counts)
        case .paragraphs: try nextParagraph(&counts)
        case .lines: try nextLine(&counts)
        }
      }
    if document != nil { isEmpty = false }
    return document
  }

  private func wholeFile(_ counts: inout Counts) throws -> Document? {
    if finished { return nil }
    finished = true
    let bytes = try reader.rest(expectedSize: file.compression == .none ? file.size : nil)
    if bytes.isEmpty { return nil }
    return try document(bytes, line: 1, offset: reader.lineOffset, &counts)
  }

  private func nextLine(_ counts: inout Counts) throws -> Document? {
    while let line = try reader.nextLine() {
      if JSONLineScanner.isBlank(line) { continue }
      return try document(withoutReturn(line), line: reader.lineNumber, offset: reader.lineOffset, &counts)
    }
    return nil
  }

  private func nextParagraph(_ counts: inout Counts) throws -> Document? {
    paragraph.removeAll(keepingCapacity: true)
    var first = 0
    var offset = 0
    while let line = try reader.nextLine() {
      if JSONLineScanner.isBlank(line) {
        if paragraph.isEmpty { continue }
        break
      }
      if paragraph.isEmpty {
        first = reader.lineNumber
        offset = reader.lineOffset
      } else {
        paragraph.append(0x0A)
      }
      paragraph.append(contentsOf: line)
    }
    if paragraph.isEmpty { return nil }
    return try paragraph.withUnsafeBufferPointer {
      try document(withoutReturn($0), line: first, offset: offset, &counts)
    }
  }

  private func nextJSONLine(_ counts: inout Counts) throws -> Document? {
    while let line = try reader.nextLine() {
      if JSONLineScanner.isBlank(line) { continue }
      do {
        let prompt = try options.promptField.map { try member($0, of: line, &counts)?.text ?? "" }
        guard var document = try member(options.textField, of: line, &counts) else {
          isEmpty = false
          continue
        }
        document.prompt = prompt
        return document
      } catch let problem as JSONLineProblem {
        guard options.skipMalformed else {
          throw CorpusError.malformedLine(path: file.displayName, line: reader.lineNumber, reason: problem.reason)
        }
        counts.skippedLines += 1
      }
    }
    return nil
  }

  /// The text of a field of the object on a line; nil if the text is empty.
  private func member(
    _ field: String, of line: UnsafeBufferPointer<UInt8>, _ counts: inout Counts
  ) throws -> Document? {
    let span = try JSONLineScanner.span(of: field, in: line)
    if span.range.isEmpty { return nil }
    let raw = UnsafeBufferPointer(rebasing: line[span.range])
    let offset = reader.lineOffset + span.range.lowerBound
    guard span.hasEscapes else { return try document(raw, line: reader.lineNumber, offset: offset, &counts) }
    decoder.decode(raw)
    if decoder.hasLoneSurrogate && !options.lossy {
      throw JSONLineProblem(reason: "unpaired surrogate escape")
    }
    let isRepaired = decoder.hasLoneSurrogate
    return try decoder.withDecodedBytes { decoded in
      // Error offsets refer to the file, so the raw bytes are validated.
      try document(
        decoded, asWritten: raw, isRepaired: isRepaired, line: reader.lineNumber, offset: offset, &counts)
    }
  }

  /// Creates a document from `bytes`, which begin at `line` and `offset` of the file.
  private func document(
    _ bytes: UnsafeBufferPointer<UInt8>, asWritten: UnsafeBufferPointer<UInt8>? = nil, isRepaired: Bool = false,
    line: Int, offset: Int, _ counts: inout Counts
  ) throws -> Document {
    let written = asWritten ?? bytes
    var isRepaired = isRepaired
    if let index = UTF8Validation.firstInvalidIndex(in: written) {
      guard options.lossy else {
        let breaks = written[..<index].reduce(0) { $0 + ($1 == 0x0A ? 1 : 0) }
        throw CorpusError.notUTF8(path: file.displayName, byteOffset: offset + index, line: line + breaks)
      }
      isRepaired = true
    }
    if isRepaired { counts.repairedDocuments += 1 }
    return Document(text: String(decoding: bytes, as: UTF8.self), source: file.displayName, line: line, ordinal: 0)
  }

  /// Removes the carriage return of a CRLF line ending.
  private func withoutReturn(_ line: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    line.last == 0x0D ? UnsafeBufferPointer(rebasing: line.dropLast()) : line
  }
}
