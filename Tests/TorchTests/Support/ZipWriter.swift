/// Writes uncompressed zip archives as torch.save does, with optional faults for tests.
struct ZipWriter {
  private var bytes: [UInt8] = []
  private var directory: [UInt8] = []
  private var count = 0
  /// The compression method: 0 stored, 8 deflated.
  private let method: UInt16
  /// An offset added to the size in the directory.
  private let lie: UInt32

  init(method: UInt16 = 0, lie: UInt32 = 0) { (self.method, self.lie) = (method, lie) }

  private static func low<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
    Swift.withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  mutating func add(_ name: String, _ content: [UInt8]) {
    let (name, size) = (Array(name.utf8), UInt32(content.count))
    let sizes = Self.low(UInt32(0)) + Self.low(size &+ lie) + Self.low(size &+ lie)
    let common = Self.low(UInt16(0)) + Self.low(method) + Self.low(UInt32(0)) + sizes + Self.low(UInt16(name.count))
    directory += [0x50, 0x4B, 1, 2] + Self.low(UInt16(0)) + Self.low(UInt16(0)) + common
    directory += Self.low(UInt16(0)) + Self.low(UInt16(0)) + [UInt8](repeating: 0, count: 8)
    directory += Self.low(UInt32(bytes.count)) + name
    bytes += [0x50, 0x4B, 3, 4] + Self.low(UInt16(0)) + common + Self.low(UInt16(0)) + name + content
    count += 1
  }

  func finished() -> [UInt8] {
    let end = [0x50, 0x4B, 5, 6] + [UInt8](repeating: 0, count: 4) + Self.low(UInt16(count)) + Self.low(UInt16(count))
    return bytes + directory + end + Self.low(UInt32(directory.count)) + Self.low(UInt32(bytes.count)) + [0, 0]
  }
}
