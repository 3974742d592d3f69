import CALMSupport
import Foundation

/// Standard output, for results. Unlike `print`, it reports a failed write, as on a full disk.
package enum StandardOutput {
  /// Writes all bytes at once.
  ///
  /// - Throws: ``FileError`` if a write fails.
  package static func write(_ bytes: UnsafeRawBufferPointer) throws {
    let code = writeAll(bytes, to: STDOUT_FILENO)
    if code != 0 { throw FileError("write", "standard output", code: code) }
  }

  /// Writes text without adding a line break.
  package static func write(_ text: String) throws {
    var text = text
    try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
  }
}

/// Standard error, for messages. Failed writes are ignored, as there is nowhere to report them.
package enum StandardError {
  /// Writes text in one piece, so lines of several processes do not mix, without adding a line break.
  package static func write(_ text: String) {
    var text = text
    text.withUTF8 { _ = writeAll(UnsafeRawBufferPointer($0), to: STDERR_FILENO) }
  }

  /// Writes a line.
  package static func note(_ line: String) {
    write(line + "\n")
  }
}

/// Writes all bytes. Returns the error number of a failed write, or 0.
private func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
  var done = 0
  while done < bytes.count {
    let part = UnsafeRawBufferPointer(rebasing: bytes[done...])
    let count = write(descriptor, part.baseAddress, part.count)
    if count >= 0 {
      done += count
    } else if errno != EINTR {
      return errno
    }
  }
  return 0
}
