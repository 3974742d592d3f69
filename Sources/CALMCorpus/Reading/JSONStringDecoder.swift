/// Decodes the contents of JSON strings to UTF-8, reusing one buffer.
struct JSONStringDecoder {
  /// Whether the last string had an unpaired surrogate escape, which was replaced by U+FFFD.
  private(set) var hasLoneSurrogate = false

  private var storage: [UInt8] = []
  private var count = 0

  /// Decodes the escapes of `raw`, a string that ``JSONLineScanner`` has checked. Invalid UTF-8 passes unchanged.
  mutating func decode(_ raw: UnsafeBufferPointer<UInt8>) {
    var loneSurrogates = 0
    count = 0
    // No escape is shorter than its decoded form.
    if storage.count < raw.count { storage = [UInt8](repeating: 0, count: max(raw.count, storage.count * 2)) }
    count = storage.withUnsafeMutableBufferPointer { target in
      var from = 0
      var to = 0
      while from < raw.count {
        let byte = raw[from]
        if byte != UInt8(ascii: "\\") {
          target[to] = byte
          from += 1
          to += 1
        } else if let plain = Self.shortEscape(raw[from + 1]) {
          target[to] = plain
          from += 2
          to += 1
        } else {
          let (scalar, length) = Self.scalar(raw, at: from)
          if scalar == nil { loneSurrogates += 1 }
          from += length
          for unit in String(scalar ?? "\u{FFFD}").utf8 {
            target[to] = unit
            to += 1
          }
        }
      }
      return to
    }
    hasLoneSurrogate = loneSurrogates > 0
  }

  /// Calls `body` with the last decoded string.
  func withDecodedBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result {
    try storage.withUnsafeBufferPointer { try body(UnsafeBufferPointer(rebasing: $0[..<count])) }
  }

  /// The scalar of the `\u` escape (two for a surrogate pair) at `index` and its length in bytes; nil for an unpaired
  /// surrogate.
  private static func scalar(_ raw: UnsafeBufferPointer<UInt8>, at index: Int) -> (Unicode.Scalar?, length: Int) {
    let first = hexadecimal(raw, at: index + 2) ?? 0xFFFD
    if let scalar = Unicode.Scalar(first) { return (scalar, 6) }
    if first < 0xDC00, index + 12 <= raw.count, raw[index + 6] == UInt8(ascii: "\\"),
      raw[index + 7] == UInt8(ascii: "u"),
      let second = hexadecimal(raw, at: index + 8), (0xDC00...0xDFFF).contains(second)
    {
      return (Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)), 12)
    }
    return (nil, 6)
  }

  /// The value of the four hexadecimal digits at `index`.
  static func hexadecimal(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> UInt32? {
    guard index + 4 <= bytes.count else { return nil }
    var value: UInt32 = 0
    for byte in bytes[index..<index + 4] {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(byte - UInt8(ascii: "a") + 10)
      case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
      default: return nil
      }
    }
    return value
  }

  /// The byte that a backslash and `letter` encode, or nil if they are no escape.
  static func shortEscape(_ letter: UInt8) -> UInt8? {
    switch letter {
    case UInt8(ascii: "n"): 0x0A
    case UInt8(ascii: "t"): 0x09
    case UInt8(ascii: "r"): 0x0D
    case UInt8(ascii: "b"): 0x08
    case UInt8(ascii: "f"): 0x0C
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): letter
    default: nil
    }
  }
}
