import CALMSupport
import Foundation

/// The program's results. Unlike with `print`, a full disk behind a redirection is an error.
package enum StandardOutput {
  /// Writes all bytes at once.
  ///
  /// - Throws: ``FileError`` where the system refuses them.
  package static func write(_ bytes: UnsafeRawBufferPointer) throws {
    let code = writeAll(bytes, to: STDOUT_FILENO)
    if code != 0 { throw FileError("write", "standard output", code: code) }
  }

  /// Writes a text as it stands, without a line end of its own.
  package static func write(_ text: String) throws {
    var text = text
    try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
  }
}

/// What the program tells beside its results. Nobody can be told that telling fails, so failures are passed over.
package enum StandardError {
  /// Writes a text as it stands, in one piece, so that lines of several processes do not mix.
  package static func write(_ text: String) {
    var text = text
    text.withUTF8 { _ = writeAll(UnsafeRawBufferPointer($0), to: STDERR_FILENO) }
  }

  /// Writes a line of advice.
  package static func note(_ line: String) {
    write(line + "\n")
  }
}

/// Writes until everything is written; returns the error number of a refusal, or 0.
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
