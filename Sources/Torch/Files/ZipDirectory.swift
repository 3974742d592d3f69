import CALMSupport

/// The entries of a zip archive (PKWARE's APPNOTE.TXT), from the directory at its end.
///
/// It reads what torch.save writes: entries stored as they are, not compressed, with or without 64-bit sizes.
struct ZipDirectory {
  /// The bytes of each entry, counted from the start of the file.
  private(set) var entries: [String: Range<Int>] = [:]

  private static let endSignature: UInt32 = 0x0605_4B50
  private static let wideEndSignature: UInt32 = 0x0606_4B50
  private static let wideLocatorSignature: UInt32 = 0x0706_4B50
  private static let entrySignature: UInt32 = 0x0201_4B50
  private static let localSignature: UInt32 = 0x0403_4B50
  private static let greatestLength = 64 << 20

  private let file: ReadableFile

  /// Reads the directory of a file and checks it against the entries.
  init(of file: ReadableFile) throws {
    self.file = file
    let place = try findDirectory()
    guard place.count <= Self.greatestLength else { throw malformed("the zip directory has \(place.count) bytes") }
    let directory = LittleEndianBytes(try file.bytes(in: place))
    var position = 0
    while position < directory.count { position = try readEntry(directory, at: position, limit: place.lowerBound) }
  }

  private func malformed(_ reason: String) -> CheckpointError { .malformed(file: file.path, reason: reason) }

  /// Where the directory lies, as the record at the end of the file says.
  private func findDirectory() throws -> Range<Int> {
    let (recordSize, longestComment, locatorSize) = (22, 0xFFFF, 20)
    let tailStart = max(0, file.size - recordSize - longestComment - locatorSize)
    let tail = LittleEndianBytes(try file.bytes(in: tailStart..<file.size))
    let end = stride(from: tail.count - recordSize, through: 0, by: -1).first { position in
      tail.uint32(position) == Self.endSignature
        && tail.uint16(position + 20) == UInt16(exactly: tail.count - recordSize - position)
    }
    guard let end, let length = tail.uint32(end + 12), let start = tail.uint32(end + 16) else {
      throw malformed("the zip directory is missing at its end, so it is cut short or not from torch.save")
    }
    var place = (start: UInt64(start), length: UInt64(length))
    if start == .max || length == .max || tail.uint16(end + 10) == .max {
      guard tail.uint32(end - locatorSize) == Self.wideLocatorSignature,
        let record = tail.uint64(end - locatorSize + 8), record <= UInt64(file.size)
      else { throw malformed("the 64-bit zip directory is not where it should be") }
      let wide = LittleEndianBytes(try file.bytes(in: Int(record)..<min(file.size, Int(record) + 56)))
      guard wide.uint32(0) == Self.wideEndSignature, let length = wide.uint64(40), let start = wide.uint64(48) else {
        throw malformed("the 64-bit zip directory is not where it should be")
      }
      place = (start, length)
    }
    let size = UInt64(file.size)
    guard place.start <= size, place.length <= size - place.start else {
      throw malformed("the zip directory lies outside the file")
    }
    return Int(place.start)..<Int(place.start + place.length)
  }

  /// Adds the entry at a place in the directory; returns where the next one begins.
  private mutating func readEntry(_ directory: LittleEndianBytes, at position: Int, limit: Int) throws -> Int {
    guard directory.uint32(position) == Self.entrySignature, let flags = directory.uint16(position + 8),
      let method = directory.uint16(position + 10), let stored = directory.uint32(position + 20),
      let size = directory.uint32(position + 24), let nameLength = directory.uint16(position + 28),
      let extraLength = directory.uint16(position + 30), let commentLength = directory.uint16(position + 32),
      let header = directory.uint32(position + 42)
    else { throw malformed("the zip directory breaks off") }
    let nameStart = position + 46
    let extraStart = nameStart + Int(nameLength)
    let next = extraStart + Int(extraLength) + Int(commentLength)
    guard next <= directory.count, let name = directory.text(nameStart..<extraStart) else {
      throw malformed("the zip directory has an entry without a proper name")
    }
    // Values too large for 32 bits are all ones here and follow, in this order, in an extra field.
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
          "the zip entry \(CheckpointError.quoted(name)) is compressed or encrypted; store it plainly, as torch.save does"
      )
    }
    let range = try dataRange(name, header: headerPlace, size: wholeSize, limit: limit)
    guard entries.updateValue(range, forKey: name) == nil else {
      throw malformed("the zip entry \(CheckpointError.quoted(name)) stands twice")
    }
    return next
  }

  /// The bytes behind an entry's own header, whose length only that header tells.
  private func dataRange(_ name: String, header: UInt64, size: UInt64, limit: Int) throws -> Range<Int> {
    let headerSize = 30
    if header <= UInt64(limit), size <= UInt64(limit) {
      let local = LittleEndianBytes(try file.bytes(in: Int(header)..<Int(header) + headerSize))
      if local.uint32(0) == Self.localSignature, let name = local.uint16(26), let extra = local.uint16(28) {
        let start = Int(header) + headerSize + Int(name) + Int(extra)
        if start + Int(size) <= limit { return start..<start + Int(size) }
      }
    }
    throw malformed("the zip entry \(CheckpointError.quoted(name)) lies outside the file")
  }
}

/// Bytes of which whole numbers are read, low byte first; nil outside them.
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

  /// The text in `range`; nil where it is not UTF-8.
  func text(_ range: Range<Int>) -> String? { String(validating: bytes[range], as: UTF8.self) }

  /// The numbers in the zip extra field of 64-bit values within `range`; none where there is no such field.
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
