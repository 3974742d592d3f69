import Foundation

/// A file that appears under its name complete or not at all.
///
/// Bytes go to a temporary file in the same folder; ``commit()`` flushes it to the disk, renames it over `path` and
/// flushes the folder. A failure before that, a full disk included, leaves whatever stood at `path` as it was, and the
/// temporary file is removed when the object goes away.
package final class AtomicFile {
  /// The name the file gets on ``commit()``.
  package let path: String
  private let temporaryPath: String
  private var descriptor: Int32

  /// Creates the temporary file beside `path`.
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

  /// Writes `bytes` over those at `offset`, without moving the place where the next append goes.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    try writeAll(bytes) { part, done in pwrite(descriptor, part.baseAddress, part.count, off_t(offset + done)) }
  }

  /// Flushes the bytes to the disk and gives the file its name.
  package func commit() throws {
    precondition(descriptor >= 0, "AtomicFile.commit: already committed or discarded")
    guard Self.flush(descriptor) else { throw failure("write") }
    let closed = close(descriptor)
    descriptor = -1
    if closed != 0 && errno != EINTR { throw failure("write") }
    if rename(temporaryPath, path) != 0 { throw failure("rename a temporary file to") }
    try Self.synchronizeFolder(path.parentPath)
  }

  /// Removes the temporary file; nothing happens after ``commit()``.
  package func discard() {
    guard descriptor >= 0 else { return }
    close(descriptor)
    descriptor = -1
    unlink(temporaryPath)
  }

  /// Writes `data` as the whole content of `path`.
  package static func write(_ data: Data, to path: String) throws {
    let file = try AtomicFile(replacing: path)
    try data.withUnsafeBytes { try file.write($0) }
    try file.commit()
  }

  /// Makes the names inside a folder survive a power cut. An empty path is the current folder.
  package static func synchronizeFolder(_ path: String) throws {
    let folder = path.isEmpty ? "." : path
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw FileError("open the folder", folder) }
    defer { close(descriptor) }
    // Some file systems have nothing to flush for a folder and say so.
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

  /// The error of the call that just failed; the temporary file goes, and the error stays the first one.
  private func failure(_ operation: String) -> FileError {
    let error = FileError(operation, path)
    if descriptor >= 0 { discard() } else { unlink(temporaryPath) }
    return error
  }

  private static func flush(_ descriptor: Int32) -> Bool {
    #if canImport(Darwin)
      // fsync on Apple systems leaves the bytes in the drive's cache.
      if fcntl(descriptor, F_FULLFSYNC) == 0 { return true }
    #endif
    return fsync(descriptor) == 0
  }
}

/// The system's `write`, which a method of the same name hides inside the class.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
  write(descriptor, bytes.baseAddress, bytes.count)
}
