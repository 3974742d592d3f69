import CALMSupport
import Foundation

/// Reads a file or standard input, part by part or line by line, in constant memory.
package final class ByteInput {
  private static let partSize = 1 << 18

  /// The name of the input in messages.
  package let name: String
  /// The number (from 1) of the last line that ``nextLine()`` returned.
  package private(set) var lineNumber = 0
  private let descriptor: Int32
  private var buffered: [UInt8] = []
  private var start = 0
  private var isAtEnd = false

  /// Opens a file; `-` is standard input.
  ///
  /// - Throws: ``FileError``.
  package init(_ path: String) throws {
    if path == "-" {
      (name, descriptor) = ("standard input", STDIN_FILENO)
    } else {
      (name, descriptor) = (path, open(path, O_RDONLY | O_CLOEXEC))
      if descriptor < 0 { throw FileError("read", path) }
    }
  }

  deinit { if descriptor != STDIN_FILENO { close(descriptor) } }

  /// The next bytes; nil at the end. Do not mix calls with those of ``nextLine()``.
  package func next() throws -> [UInt8]? {
    while true {
      var code: Int32 = 0
      let part = [UInt8](unsafeUninitializedCapacity: Self.partSize) { buffer, count in
        let got = read(descriptor, buffer.baseAddress, buffer.count)
        code = got < 0 ? errno : 0
        count = max(0, got)
      }
      if code == 0 { return part.isEmpty ? nil : part }
      if code != EINTR { throw FileError("read", name, code: code) }
    }
  }

  /// The next line that is not blank, without its line break; nil at the end.
  package func nextLine() throws -> Data? {
    while let line = try anyLine() {
      lineNumber += 1
      if line.contains(where: { $0 > UInt8(ascii: " ") }) { return line }
    }
    return nil
  }

  private func anyLine() throws -> Data? {
    var searched = start
    while true {
      if let end = buffered[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { start = end + 1 }
        return Data(buffered[start..<end])
      }
      if isAtEnd {
        defer { start = buffered.count }
        return start == buffered.count ? nil : Data(buffered[start...])
      }
      buffered.removeSubrange(..<start)
      start = 0
      searched = buffered.count
      if let part = try next() { buffered += part } else { isAtEnd = true }
    }
  }
}
