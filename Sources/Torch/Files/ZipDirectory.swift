import CALMSupport

/// The entries of a zip archive (PKWARE's APPNOTE.TXT), read from its central directory.
///
/// It supports archives of torch.save: uncompressed entries, with or without 64-bit sizes.
struct ZipDirectory {
  /// The byte range of each entry, from the start of the file.
  private(set) var entries: [String: Range<Int>] = [:]

  private static let endSignature: UInt32 = 0x0605_4B50
  private static let wideEndSignature: UInt32 = 0x0606_4B50
  private static let wideLocatorSignature: UInt32 = 0x0706_4B50
  private static let entrySignature: UInt32 = 0x0201_4B50
  private static let localSignature: UInt32 = 0x0403_4B50
  private static let maximumLength = 64 << 20

  private let file: ReadableFile

  /// Reads the directory of a file, and checks it against the entries' headers.
  init(of file: ReadableFile) throws {
    self.file = file
    let place = try findDirectory()
    guard place.count <= Self.maximumLength else {
      throw malformed("the zip directory is too long, with \(place.count) bytes")
    }
    let directory = LittleEndianBytes(try file.bytes(in: place))
    var position = 0
    while position < directory.count { position = try readEntry(directory, at: position, limit: place.lowerBound) }
  }

  private func malformed(_ reason: String) -> CheckpointError { .malformed(file: file.path, reason: reason) }

  /// The byte range of the directory, from the record at the end of the file.
  private func findDirectory() throws -> Range<Int> {
    let (recordSize, longestComment, locatorSize) = (22, 0xFFFF, 20)
    let tailStart = max(0, file.size - recordSize - longestComment - locatorSize)
    let tail = LittleEndianBytes(try file.bytes(in: tailStart..<file.size))
    let end = stride(from: tail.count - recordSize, through: 0, by: -1).first { position in
      tail.uint32(position) == Self.endSignature
        && tail.uint16(position + 20) == UInt16(exactly: tail.count - recordSize - position)
    }
    guard let end, let length = tail.uint32(end + 12), let start = tail.uint32(end + 16) else {
      throw malformed("the zip directory at its end is missing, so it is truncated or not from torch.save")
    }
    var place = (start: UInt64(start), length: UInt64(length))
    if start == .max || length == .max || tail.uint16(end + 10) == .max {
      guard tail.uint32(end - locatorSize) == Self.wideLocatorSignature,
        let record = tail.uint64(end - locatorSize + 8), record <= UInt64(file.size)
      else { throw malformed("the 64-bit zip directory is not at its offset") }
      let wide = LittleEndianBytes(try file.bytes(in: Int(record)..<min(file.size, Int(record) + 56)))
      guard wide.uint32(0) == Self.wideEndSignature, let length = wide.uint64(40), let start = wide.uint64(48) else {
        throw malformed("the 64-bit zip directory is not at its offset")
      }
      place = (start, length)
    }
    let size = UInt64(file.size)
    guard place.start <= size, place.length <= size - place.start else {
      throw malformed("the zip directory is outside the file")
    }
    return Int(place.start)..<Int(place.start + place.length)
  }

  /// Adds the entry at a position in the directory; returns the position of the next one.
  private mutating func readEntry(_ directory: LittleEndianBytes, at position: Int, limit: Int) throws -> Int {
    guard directory.uint32(position) == Self.entrySignature, let flags = directory.uint16(position + 8),
      let method = directory.uint16(position + 10), let stored = directory.uint32(position + 20),
      let size = directory.uint32(position + 24), let nameLength = directory.uint16(position + 28),
      let extraLength = directory.uint16(position + 30), let commentLength = directory.uint16(position + 32),
      let header = directory.uint32(position + 42)
    else { throw malformed("the zip directory is truncated") }
    let nameStart = position + 46
    let extraStart = nameStart + Int(nameLength)
    let next = extraStart + Int(extraLength) + Int(commentLength)
    guard next <= directory.count, let name = directory.text(nameStart..<extraStart) else {
      throw malformed("the zip directory has an entry with an invalid name")
    }
    // A value that exceeds 32 bits is all ones here. The values follow in an extra field, in this order.
    var wide = directory.wideValues(extraStart..<extraStart + Int(extraLength))[...]
    func value(_ narrow: UInt32) throws -> UInt64 {
      if narrow != .max { return UInt64(narrow) }
      guard let value = wide.popFirst() else {
        throw malformed("the zip entry \(CheckpointError.quoted(name)) has no size")
      }
      return value
    }
    let (wholeSize, storedSize, headerPlace) = (try value(size), try value(stored), try value(header))
    guard method == 0, flags & 1 == 0, wholeSize == storedSize else {
      throw CheckpointError.unsupported(
        file: file.path,
        reason:
          "the zip entry \(CheckpointError.quoted(name)) is compressed or encrypted; store it uncompressed, as torch.save does"
      )
    }
    let range = try dataRange(name, header: headerPlace, size: wholeSize, limit: limit)
    guard entries.updateValue(range, forKey: name) == nil else {
      throw malformed("the zip entry \(CheckpointError.quoted(name)) occurs twice")
    }
    return next
  }

  /// The byte range of an entry's data, which follows the entry's local header of variable length.
  private func dataRange(_ name: String, header: UInt64, size: UInt64, limit: Int) throws -> Range<Int> {
    let headerSize = 30
    if header <= UInt64(limit), size <= UInt64(limit) {
      let local = LittleEndianBytes(try file.bytes(in: Int(header)..<Int(header) + headerSize))
      if local.uint32(0) == Self.localSignature, let name = local.uint16(26), let extra = local.uint16(28) {
        let start = Int(header) + headerSize + Int(name) + Int(extra)
        if start + Int(size) <= limit { return start..<start + Int(size) }
      }
    }
    throw malformed("the zip entry \(CheckpointError.quoted(name)) is outside the file")
  }
}

/// Bytes from which little-endian integers can be read; nil outside the bytes.
struct LittleEndianBytes {
  private let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var count: Int { bytes.count }

  func uint16(_ position: Int) -> UInt16? { integer(position) }
  func uint32(_ position: Int) -> UInt32? { integer(position) }
  func uint64(_ position: Int) -> UInt64? { integer(position) }

  private func integer<Integer: FixedWidthInteger>(_ position: Int) -> Integer? {
    guard position >= 0, position <= bytes.count - MemoryLayout<Integer>.size else { return nil }
    return bytes.withUnsafeBytes { Integer(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: Integer.self)) }
  }

  /// The text in `range`; nil if it is not UTF-8.
  func text(_ range: Range<Int>) -> String? { String(validating: bytes[range], as: UTF8.self) }

  /// The values of the 64-bit extra field within `range`; empty if there is no such field.
  func wideValues(_ range: Range<Int>) -> [UInt64] {
    var position = range.lowerBound
    while position + 4 <= range.upperBound, let kind = uint16(position), let length = uint16(position + 2) {
      let end = position + 4 + Int(length)
      if kind == 1 && end <= range.upperBound {
        return stride(from: position + 4, through: end - 8, by: 8).compactMap { uint64($0) }
      }
      position = end
    }
    return []
  }
}
