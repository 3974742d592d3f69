import Foundation

/// A read-only memory-mapped file, unmapped when the object is released.
///
/// The object never changes the mapped bytes, so threads can share it. As with every memory-mapped file, the process
/// crashes if it reads a part of the file that another process has truncated.
final class MappedFile: @unchecked Sendable {
  /// The whole file.
  let bytes: UnsafeRawBufferPointer

  init(path: String) throws {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw TokenShardError.unreadable(path: path, reason: systemReason(errno)) }
    defer { close(descriptor) }
    var status = stat()
    if fstat(descriptor, &status) != 0 { throw TokenShardError.unreadable(path: path, reason: systemReason(errno)) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw TokenShardError.unreadable(path: path, reason: "not a regular file")
    }
    let size = Int(status.st_size)
    if size == 0 {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let address = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0), address != MAP_FAILED else {
      throw TokenShardError.unreadable(path: path, reason: systemReason(errno))
    }
    bytes = UnsafeRawBufferPointer(start: address, count: size)
  }

  deinit {
    if let address = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: address), bytes.count) }
  }
}
