import Foundation

/// A regular file, open for reading at any place.
///
/// Reading at a position, unlike a memory mapping, adds nothing to the memory of the process beside the destination,
/// and a file that somebody cuts short meanwhile is an error instead of a signal.
package final class ReadableFile: @unchecked Sendable {
  /// The file.
  package let path: String
  /// Its size in bytes when it was opened.
  package let size: Int
  private let descriptor: Int32

  /// Opens a file.
  ///
  /// - Throws: ``FileError``, also for a folder or a device.
  package init(path: String) throws(FileError) {
    // Without O_NONBLOCK a named pipe would wait for its writer.
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

  /// Fills `buffer` with the bytes from `offset` on.
  ///
  /// - Returns: the number of bytes read, fewer than asked for only where the file ends.
  /// - Throws: ``FileError`` where the system refuses.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
    var done = 0
    while done < buffer.count {
      // Some systems refuse to read more than 2 GB at once.
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

  /// The bytes in `range`, fewer where the file ends before.
  ///
  /// - Throws: ``FileError`` where the system refuses.
  package func bytes(in range: Range<Int>) throws(FileError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    let outcome = bytes.withUnsafeMutableBytes { buffer in
      Result { () throws(FileError) in try read(into: buffer, at: range.lowerBound) }
    }
    bytes.removeLast(range.count - (try outcome.get()))
    return bytes
  }
}
