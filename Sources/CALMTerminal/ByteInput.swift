import CALMSupport
import Foundation

/// The bytes of a file or of standard input, part by part or line by line, in memory that does not grow with them.
package final class ByteInput {
  private static let partSize = 1 << 18

  /// What messages call it.
  package let name: String
  /// The number (from 1) of the line that ``nextLine()`` gave last.
  package private(set) var lineNumber = 0
  private let descriptor: Int32
  private var held: [UInt8] = []
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

  /// The next bytes as they come; nil at the end. Not to be mixed with ``nextLine()``.
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

  /// The next line that holds more than whitespace, without its end; nil at the end.
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
      if let end = held[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { start = end + 1 }
        return Data(held[start..<end])
      }
      if isAtEnd {
        defer { start = held.count }
        return start == held.count ? nil : Data(held[start...])
      }
      held.removeSubrange(..<start)
      start = 0
      searched = held.count
      if let part = try next() { held += part } else { isAtEnd = true }
    }
  }
}
