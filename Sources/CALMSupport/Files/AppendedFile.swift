import Foundation

/// An append-only file, such as a log. Readers see written bytes immediately, and the bytes remain if the process is
/// killed.
package final class AppendedFile {
  /// The path of the file.
  package let path: String
  private let descriptor: Int32

  /// Opens a file, creating it if necessary.
  ///
  /// - Throws: ``FileError``.
  package init(path: String) throws(FileError) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    if descriptor < 0 { throw FileError("write", path) }
  }

  deinit { close(descriptor) }

  /// Truncates the file to its first `size` bytes.
  package func cut(to size: Int) throws(FileError) {
    if ftruncate(descriptor, off_t(size)) != 0 { throw FileError("truncate", path) }
  }

  /// Appends bytes.
  package func append(_ bytes: some Sequence<UInt8>) throws(FileError) {
    let bytes = Array(bytes)
    var done = 0
    while done < bytes.count {
      let count = bytes[done...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count >= 0 {
        done += count
      } else if errno != EINTR {
        throw FileError("write", path)
      }
    }
  }
}
