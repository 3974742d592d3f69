import Foundation

/// A regular file that is open for reading at any position.
///
/// Unlike a memory mapping, reading takes no memory besides the destination buffer, and a file that another process
/// truncates causes an error instead of a signal.
package final class ReadableFile: @unchecked Sendable {
  /// The path of the file.
  package let path: String
  /// The size in bytes when the file was opened.
  package let size: Int
  private let descriptor: Int32

  /// Opens a file.
  ///
  /// - Throws: ``FileError``, also for a folder or a device.
  package init(path: String) throws(FileError) {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if descriptor < 0 { throw FileError("read", path) }
    var status = stat()
    let code = fstat(descriptor, &status) != 0 ? errno : status.st_mode & S_IFMT == S_IFDIR ? EISDIR : 0
    guard code == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw FileError("read", path, code: code == 0 ? EINVAL : code)
    }
    self.path = path
    self.descriptor = descriptor
    size = Int(status.st_size)
  }

  deinit { close(descriptor) }

  /// Fills `buffer` with the bytes at `offset`.
  ///
  /// - Returns: The number of bytes read, which is less than the size of the buffer only at the end of the file.
  /// - Throws: ``FileError``.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
    var done = 0
    while done < buffer.count {
      // Some systems cannot read more than 2 GB at once.
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<min(buffer.count, done + 1 << 30)])
      let count = pread(descriptor, part.baseAddress, part.count, off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 {
        break
      } else if errno != EINTR {
        throw FileError("read", path)
      }
    }
    return done
  }

  /// Reads the bytes in `range`, or fewer at the end of the file.
  ///
  /// - Throws: ``FileError``.
  package func bytes(in range: Range<Int>) throws(FileError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    let outcome = bytes.withUnsafeMutableBytes { buffer in
      Result { () throws(FileError) in try read(into: buffer, at: range.lowerBound) }
    }
    bytes.removeLast(range.count - (try outcome.get()))
    return bytes
  }
}
