import Foundation

/// The decompressed bytes of a corpus file.
final class ByteStream {
  private let file: CorpusFile
  private let descriptor: Int32
  private let decompressor: Decompressor?
  private var bytesRead = 0

  /// Opens the file and, if it is compressed, starts the program that decompresses it.
  init(_ file: CorpusFile) throws {
    self.file = file
    if file.path == "-" {
      descriptor = STDIN_FILENO
      decompressor = nil
      return
    }
    let descriptor = open(file.path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 {
      throw errno == ENOENT
        ? CorpusError.missing(path: file.path) : CorpusError.unreadable(path: file.path, reason: systemReason(errno))
    }
    do {
      decompressor =
        file.compression == .none
        ? nil : try Decompressor(file.compression, input: descriptor, path: file.path)
    } catch {
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
  }

  deinit {
    if descriptor != STDIN_FILENO { close(descriptor) }
  }

  /// Reads up to `buffer.count` bytes. Returns 0 at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    if let decompressor { return try decompressor.read(into: buffer) }
    while true {
      let count = systemRead(descriptor, buffer)
      if count >= 0 {
        bytesRead += count
        return count
      }
      if errno != EINTR { throw CorpusError.unreadable(path: file.displayName, reason: systemReason(errno)) }
    }
  }

  /// The number of bytes read from the file as stored.
  var filePosition: Int {
    decompressor == nil ? bytesRead : max(0, Int(lseek(descriptor, 0, SEEK_CUR)))
  }
}
