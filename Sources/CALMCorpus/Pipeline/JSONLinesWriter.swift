import CALMSupport
import Foundation

/// Writes documents as JSON lines with the field `text`, which ``CorpusReader`` reads.
public enum JSONLinesWriter {
  private static let bufferSize = 1 << 20

  /// Writes all documents of `source` to a new file.
  ///
  /// - Parameter progress: called after each document; an error that it throws stops the writer.
  /// - Returns: the size of the texts in bytes of UTF-8.
  /// - Throws: ``FileError``, and the errors of `source` and `progress`.
  @discardableResult
  public static func write(
    _ source: some TextSource, to path: String, progress: (CorpusProgress) throws -> Void = { _ in }
  ) throws -> Int {
    guard FileManager.default.createFile(atPath: path, contents: nil),
      let file = FileHandle(forWritingAtPath: path)
    else { throw FileError("write", path) }
    defer { try? file.close() }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    var (bytes, buffer) = (0, Data())
    while let document = try source.next() {
      buffer += try encoder.encode(["text": document.text]) + Data("\n".utf8)
      bytes += document.text.utf8.count
      if buffer.count >= bufferSize {
        try file.write(contentsOf: buffer)
        buffer.removeAll(keepingCapacity: true)
      }
      try progress(source.progress)
    }
    try file.write(contentsOf: buffer)
    return bytes
  }
}
