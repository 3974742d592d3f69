import Foundation

/// A file that is written atomically: it is either complete or absent.
///
/// Bytes are written to a temporary file in the same folder; ``commit()`` flushes it to disk, renames it to `path` and
/// flushes the folder. After a failure, such as a full disk, an existing file at `path` is unchanged. The temporary
/// file of an uncommitted object is removed when the object is released.
package final class AtomicFile {
  /// The final path of the file.
  package let path: String
  private let temporaryPath: String
  private var descriptor: Int32

  /// Creates the temporary file next to `path`.
  package init(replacing path: String) throws {
    let folder = path.parentPath
    let name = path.lastName
    let tag = "\(getpid())-\(String(UInt32.random(in: .min ... .max), radix: 36))"
    self.path = path
    temporaryPath = folder.appendingName(".\(name).partial-\(tag)")
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    if descriptor < 0 { throw FileError("create", path) }
  }

  deinit { discard() }

  /// Appends `bytes`.
  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    try writeAll(bytes) { part, _ in systemWrite(descriptor, part) }
  }

  /// Overwrites the bytes at `offset`. The position of the next append does not change.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    try writeAll(bytes) { part, done in pwrite(descriptor, part.baseAddress, part.count, off_t(offset + done)) }
  }

  /// Flushes the file to disk and renames it to `path`.
  package func commit() throws {
    precondition(descriptor >= 0, "AtomicFile.commit: already committed or discarded")
    guard Self.flush(descriptor) else { throw failure("write") }
    let closed = close(descriptor)
    descriptor = -1
    if closed != 0 && errno != EINTR { throw failure("write") }
    if rename(temporaryPath, path) != 0 { throw failure("rename a temporary file to") }
    try Self.synchronizeFolder(path.parentPath)
  }

  /// Removes the temporary file. Has no effect after ``commit()``.
  package func discard() {
    guard descriptor >= 0 else { return }
    close(descriptor)
    descriptor = -1
    unlink(temporaryPath)
  }

  /// Writes `data` to `path`, replacing an existing file.
  package static func write(_ data: Data, to path: String) throws {
    let file = try AtomicFile(replacing: path)
    try data.withUnsafeBytes { try file.write($0) }
    try file.commit()
  }

  /// Flushes the entries of a folder to disk, so that they survive a power failure. An empty path means the current
  /// folder.
  package static func synchronizeFolder(_ path: String) throws {
    let folder = path.isEmpty ? "." : path
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw FileError("open the folder", folder) }
    defer { close(descriptor) }
    // Some file systems do not support flushing a folder.
    if fsync(descriptor) != 0 && errno != EINVAL && errno != ENOTSUP { throw FileError("flush the folder", folder) }
  }

  private func writeAll(
    _ bytes: UnsafeRawBufferPointer, _ step: (_ part: UnsafeRawBufferPointer, _ done: Int) -> Int
  ) throws {
    precondition(descriptor >= 0, "AtomicFile.write: already committed or discarded")
    var done = 0
    while done < bytes.count {
      let written = step(UnsafeRawBufferPointer(rebasing: bytes[done...]), done)
      if written >= 0 {
        done += written
      } else if errno != EINTR {
        throw FileError("write", path)
      }
    }
  }

  /// Returns the error of the failed call and removes the temporary file.
  private func failure(_ operation: String) -> FileError {
    let error = FileError(operation, path)
    if descriptor >= 0 { discard() } else { unlink(temporaryPath) }
    return error
  }

  private static func flush(_ descriptor: Int32) -> Bool {
    #if canImport(Darwin)
      // On Apple systems, fsync does not flush the drive's cache.
      if fcntl(descriptor, F_FULLFSYNC) == 0 { return true }
    #endif
    return fsync(descriptor) == 0
  }
}

/// The system call `write`, which a method of the same name hides in the class.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
  write(descriptor, bytes.baseAddress, bytes.count)
}
