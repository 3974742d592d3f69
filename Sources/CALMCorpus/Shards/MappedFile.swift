import Foundation

/// A file mapped into memory for reading; unmapped when the last owner lets it go.
///
/// The mapped bytes never change through this object, which makes it safe to share between threads. A file cut shorter
/// by someone else while it is mapped ends the process when the lost part is read, as with every memory-mapped file.
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
