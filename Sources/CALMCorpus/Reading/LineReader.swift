import Foundation

/// Splits a byte stream into lines, or reads it whole, 1 MB at a time.
///
/// A byte-order mark at the start is dropped. The results of ``nextLine()`` and ``rest(expectedSize:)`` point into a
/// buffer and are valid until the next call.
final class LineReader {
  private static let pieceSize = 1 << 20

  private let stream: ByteStream
  private var storage: UnsafeMutableRawBufferPointer
  /// The bytes read but not yet returned are `storage[start..<end]`.
  private var start = 0
  private var end = 0
  private var atEnd = false
  private var started = false
  /// The offset of `storage[start]` in the decompressed file.
  private var offset = 0
  private var lines = 0

  /// The offset of the last returned line in the decompressed file.
  private(set) var lineOffset = 0
  /// The number (from 1) of the last returned line.
  var lineNumber: Int { lines }

  /// Reads from `stream`. With `expectedSize`, the buffer for a file of known size need not grow.
  init(_ stream: ByteStream, expectedSize: Int? = nil) {
    self.stream = stream
    // With one byte more than the file, the read that finds the end does not grow the buffer.
    let capacity = max(4096, min(Self.pieceSize, (expectedSize ?? Self.pieceSize) + 1))
    storage = .allocate(byteCount: capacity, alignment: 16)
  }

  deinit { storage.deallocate() }

  /// Returns the next line without its line feed, or nil at the end.
  func nextLine() throws -> UnsafeBufferPointer<UInt8>? {
    try begin()
    var searched = 0
    while true {
      if let base = storage.baseAddress, end - start > searched,
        let found = memchr(base + start + searched, 0x0A, end - start - searched)
      {
        let length = UnsafeRawPointer(found) - UnsafeRawPointer(base + start)
        return take(length, skipping: 1)
      }
      searched = end - start
      if atEnd { return searched == 0 ? nil : take(searched, skipping: 0) }
      try fill()
    }
  }

  /// Returns the rest of the stream.
  func rest(expectedSize: Int? = nil) throws -> UnsafeBufferPointer<UInt8> {
    try begin()
    if let expectedSize, expectedSize >= storage.count { grow(to: expectedSize + 1) }
    while !atEnd { try fill() }
    return take(end - start, skipping: 0)
  }

  private func take(_ length: Int, skipping terminator: Int) -> UnsafeBufferPointer<UInt8> {
    let bytes = UnsafeRawBufferPointer(rebasing: storage[start..<start + length])
    lineOffset = offset
    lines += 1
    start += length + terminator
    offset += length + terminator
    return bytes.bindMemory(to: UInt8.self)
  }

  /// Skips a byte-order mark at the start of the stream.
  private func begin() throws {
    if started { return }
    started = true
    while end < 3 && !atEnd { try fill() }
    if end >= 3, storage[0] == 0xEF, storage[1] == 0xBB, storage[2] == 0xBF {
      start = 3
      offset = 3
    }
  }

  /// Reads one more piece and appends it to the buffer.
  private func fill() throws {
    if start > 0 {
      if let base = storage.baseAddress { memmove(base, base + start, end - start) }
      end -= start
      start = 0
    }
    if end == storage.count { grow(to: storage.count * 2) }
    let room = min(storage.count - end, Self.pieceSize)
    let count = try stream.read(into: UnsafeMutableRawBufferPointer(rebasing: storage[end..<end + room]))
    end += count
    atEnd = count == 0
  }

  private func grow(to capacity: Int) {
    let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
    larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[..<end]))
    storage.deallocate()
    storage = larger
  }
}
