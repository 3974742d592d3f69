import CALMSupport

/// Writes a zip archive (PKWARE's APPNOTE.TXT) as torch.save does: entries stored as they are, their bytes aligned.
///
/// All sizes are in the 64-bit form, which archives of more than 4 GB need and every reader of torch.save files knows.
struct ZipWriter {
  private let file: AtomicFile
  private var position = 0
  private var directory: [UInt8] = []
  private var count = 0

  /// Entries begin at multiples of this, so that tensors can be mapped into memory.
  private static let alignment = 64
  /// A place in a 32-bit field that says: see the 64-bit one.
  private static let wide32 = UInt32.max
  private static let versionNeeded: UInt16 = 45
  private static let wideField: UInt16 = 1
  // What torch.save calls its filler: "FB".
  private static let fillerField: UInt16 = 0x4246
  /// 1 January 1980: the same tensors always give the same bytes.
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
    let filler = (Self.alignment - unaligned % Self.alignment) % Self.alignment
    extra += low(Self.fillerField) + low(UInt16(filler)) + [UInt8](repeating: 0, count: filler)
    try write(low(UInt32(0x0403_4B50)) + common + low(UInt16(extra.count)) + name + extra)
    try file.write(content)
    position += content.count

    let places = sizes + low(start)
    directory += low(UInt32(0x0201_4B50)) + low(Self.versionNeeded) + common + low(UInt16(4 + places.count))
    // No comment, the first disk, no attributes, and the place of the header in the 64-bit field.
    directory += low(UInt16(0)) + low(UInt16(0)) + low(UInt16(0)) + low(UInt32(0)) + low(Self.wide32) + name
    directory += low(Self.wideField) + low(UInt16(places.count)) + places
    count += 1
  }

  /// Writes the directory and gives the file its name.
  mutating func finish() throws {
    let start = UInt64(position)
    let (entries, size) = (UInt64(count), UInt64(directory.count))
    try write(directory)
    let record = UInt64(position)
    let versions = low(Self.versionNeeded) + low(Self.versionNeeded)
    // The size of what follows it, then disks, entries, and the directory's size and place.
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

/// The bytes of a whole number, low byte first.
func low<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
