import CALMSupport

/// Writes a zip archive (PKWARE's APPNOTE.TXT) as torch.save does: uncompressed entries with aligned data.
///
/// All sizes use the 64-bit form, which archives of more than 4 GB need and every reader of torch.save files supports.
struct ZipWriter {
  private let file: AtomicFile
  private var position = 0
  private var directory: [UInt8] = []
  private var count = 0

  /// The alignment of the entries' data, so that tensors can be memory-mapped.
  private static let alignment = 64
  /// The value of a 32-bit field that refers to the 64-bit one.
  private static let wide32 = UInt32.max
  private static let versionNeeded: UInt16 = 45
  private static let wideField: UInt16 = 1
  // "FB", the identifier of torch.save's padding.
  private static let paddingField: UInt16 = 0x4246
  /// 1 January 1980, so that the same tensors always produce the same bytes.
  private static let date: UInt16 = 1 << 5 | 1

  init(_ file: AtomicFile) { self.file = file }

  /// Adds an entry.
  mutating func add(_ name: String, _ content: UnsafeRawBufferPointer) throws {
    let name = Array(name.utf8)
    let (start, size) = (UInt64(position), UInt64(content.count))
    var common = low(Self.versionNeeded) + low(UInt16(0)) + low(UInt16(0)) + low(UInt16(0)) + low(Self.date)
    common += low(CRC32.checksum(of: content)) + low(Self.wide32) + low(Self.wide32) + low(UInt16(name.count))

    let sizes = low(size) + low(size)
    var extra = low(Self.wideField) + low(UInt16(sizes.count)) + sizes
    let headerSize = 30
    let unaligned = position + headerSize + name.count + extra.count + 4
    let padding = (Self.alignment - unaligned % Self.alignment) % Self.alignment
    extra += low(Self.paddingField) + low(UInt16(padding)) + [UInt8](repeating: 0, count: padding)
    try write(low(UInt32(0x0403_4B50)) + common + low(UInt16(extra.count)) + name + extra)
    try file.write(content)
    position += content.count

    let places = sizes + low(start)
    directory += low(UInt32(0x0201_4B50)) + low(Self.versionNeeded) + common + low(UInt16(4 + places.count))
    // No comment, disk 0, no attributes; the offset of the header is in the 64-bit field.
    directory += low(UInt16(0)) + low(UInt16(0)) + low(UInt16(0)) + low(UInt32(0)) + low(Self.wide32) + name
    directory += low(Self.wideField) + low(UInt16(places.count)) + places
    count += 1
  }

  /// Writes the directory and commits the file.
  mutating func finish() throws {
    let start = UInt64(position)
    let (entries, size) = (UInt64(count), UInt64(directory.count))
    try write(directory)
    let record = UInt64(position)
    let versions = low(Self.versionNeeded) + low(Self.versionNeeded)
    // The size of the rest of the record, then disks, entries, and the directory's size and offset.
    try write(low(UInt32(0x0606_4B50)) + low(UInt64(44)) + versions + low(UInt32(0)) + low(UInt32(0)))
    try write(low(entries) + low(entries) + low(size) + low(start))
    try write(low(UInt32(0x0706_4B50)) + low(UInt32(0)) + low(record) + low(UInt32(1)))
    let (wide16, wide32) = (low(UInt16.max), low(Self.wide32))
    try write(low(UInt32(0x0605_4B50)) + low(UInt32(0)) + wide16 + wide16 + wide32 + wide32 + low(UInt16(0)))
    try file.commit()
  }

  private mutating func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try file.write($0) }
    position += bytes.count
  }
}

/// The little-endian bytes of an integer.
func low<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
