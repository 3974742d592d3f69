/// Validation of UTF-8.
enum UTF8Validation {
  /// The index of the first byte of the first ill-formed sequence, or nil if all bytes are valid.
  ///
  /// Well-formed sequences are those of table 3-7 of the Unicode Standard: no overlong forms, no surrogates, nothing
  /// above U+10FFFF.
  static func firstInvalidIndex(in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    let raw = UnsafeRawPointer(base)
    let count = bytes.count
    var index = 0
    while index < count {
      let lead = base[index]
      if lead < 0x80 {
        index = endOfASCII(raw, from: index, count: count)
        continue
      }
      let length: Int
      // The range of the second byte excludes overlong forms, surrogates and values above U+10FFFF.
      let second: ClosedRange<UInt8>
      switch lead {
      case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
      case 0xE0: (length, second) = (3, 0xA0...0xBF)
      case 0xED: (length, second) = (3, 0x80...0x9F)
      case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
      case 0xF0: (length, second) = (4, 0x90...0xBF)
      case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
      case 0xF4: (length, second) = (4, 0x80...0x8F)
      default: return index
      }
      guard index + length <= count, second.contains(base[index + 1]) else { return index }
      if length > 2 && base[index + 2] & 0xC0 != 0x80 { return index }
      if length > 3 && base[index + 3] & 0xC0 != 0x80 { return index }
      index += length
    }
    return nil
  }

  /// The end of the run of ASCII bytes that begins at `start`, searching eight bytes at a time.
  private static func endOfASCII(_ bytes: UnsafeRawPointer, from start: Int, count: Int) -> Int {
    var index = start
    while index + 8 <= count {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      let high = word & 0x8080_8080_8080_8080
      if high != 0 { return index + high.trailingZeroBitCount / 8 }
      index += 8
    }
    while index < count, bytes.load(fromByteOffset: index, as: UInt8.self) < 0x80 { index += 1 }
    return index
  }
}
