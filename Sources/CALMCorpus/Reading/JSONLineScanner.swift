/// A syntax error in a line of JSON.
struct JSONLineProblem: Error, Equatable {
  var reason: String
}

/// The position of a string in a line.
struct JSONStringSpan: Equatable {
  /// The bytes between the quotes, including escapes.
  var range: Range<Int>
  var hasEscapes: Bool
}

/// Finds one string member of the JSON object on a line and checks the rest of the line against RFC 8259.
///
/// The scanner builds no values, so it runs about as fast as the line can be read.
struct JSONLineScanner {
  private static let deepestNesting = 512

  private let bytes: UnsafeBufferPointer<UInt8>
  private var index = 0

  private init(_ bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
  }

  /// Finds the string value of `field` in the object on `line`; the last one if the field occurs more than once.
  static func span(of field: String, in line: UnsafeBufferPointer<UInt8>) throws -> JSONStringSpan {
    var scanner = JSONLineScanner(line)
    return try scanner.object(field: field)
  }

  /// Whether a line is empty or contains only white space.
  static func isBlank(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
    line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
  }

  private mutating func object(field: String) throws -> JSONStringSpan {
    var found: JSONStringSpan?
    skipSpace()
    guard peek() == UInt8(ascii: "{") else { throw JSONLineProblem(reason: "not a JSON object") }
    try members { scanner, key in
      guard scanner.matches(key, field) else { return try scanner.skipValue(depth: 1) }
      guard scanner.peek() == UInt8(ascii: "\"") else {
        throw JSONLineProblem(reason: "the field \"\(field)\" is not a string")
      }
      found = try scanner.string()
    }
    skipSpace()
    if index < bytes.count { throw unexpected() }
    guard let found else { throw JSONLineProblem(reason: "the object has no field \"\(field)\"") }
    return found
  }

  /// Scans an object, starting at its brace, and calls `value` at the value of each key.
  private mutating func members(_ value: (inout JSONLineScanner, JSONStringSpan) throws -> Void) throws {
    index += 1
    skipSpace()
    if consume(UInt8(ascii: "}")) { return }
    while true {
      skipSpace()
      guard peek() == UInt8(ascii: "\"") else { throw unexpected() }
      let key = try string()
      skipSpace()
      guard consume(UInt8(ascii: ":")) else { throw unexpected() }
      skipSpace()
      try value(&self, key)
      skipSpace()
      if consume(UInt8(ascii: "}")) { return }
      guard consume(UInt8(ascii: ",")) else { throw unexpected() }
    }
  }

  private mutating func skipValue(depth: Int) throws {
    if depth > Self.deepestNesting {
      throw JSONLineProblem(reason: "JSON nested more than \(Self.deepestNesting) levels deep")
    }
    switch peek() {
    case UInt8(ascii: "\""): _ = try string()
    case UInt8(ascii: "{"): try members { scanner, _ in try scanner.skipValue(depth: depth + 1) }
    case UInt8(ascii: "["):
      index += 1
      skipSpace()
      if consume(UInt8(ascii: "]")) { return }
      while true {
        skipSpace()
        try skipValue(depth: depth + 1)
        skipSpace()
        if consume(UInt8(ascii: "]")) { return }
        guard consume(UInt8(ascii: ",")) else { throw unexpected() }
      }
    case UInt8(ascii: "t"): try literal("true")
    case UInt8(ascii: "f"): try literal("false")
    case UInt8(ascii: "n"): try literal("null")
    default: try number()
    }
  }

  /// Scans a string, starting at its opening quote, and checks its escapes.
  private mutating func string() throws -> JSONStringSpan {
    index += 1
    let start = index
    var hasEscapes = false
    while true {
      index = Self.endOfPlainRun(bytes, from: index)
      switch peek() {
      case UInt8(ascii: "\""):
        index += 1
        return JSONStringSpan(range: start..<index - 1, hasEscapes: hasEscapes)
      case UInt8(ascii: "\\"):
        hasEscapes = true
        index += 1
        try skipEscape()
      default:
        // The end of the line, or a control character.
        throw unexpected()
      }
    }
  }

  /// Scans the escape after a backslash.
  private mutating func skipEscape() throws {
    guard let letter = peek() else { throw unexpected() }
    if letter == UInt8(ascii: "u") {
      guard JSONStringDecoder.hexadecimal(bytes, at: index + 1) != nil else { throw unexpected() }
      index += 5
    } else {
      guard JSONStringDecoder.shortEscape(letter) != nil else { throw unexpected() }
      index += 1
    }
  }

  /// The first index at or after `start` of a quote, a backslash or a control character, searching eight bytes at a
  /// time.
  private static func endOfPlainRun(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    guard let base = bytes.baseAddress else { return start }
    let raw = UnsafeRawPointer(base)
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highs: UInt64 = 0x8080_8080_8080_8080
    var index = start
    while index + 8 <= bytes.count {
      let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      // "x has a zero byte" and "x has a byte below 0x20"; both are exact for the lowest marked byte.
      let quotes = word ^ (ones &* 0x22)
      let slashes = word ^ (ones &* 0x5C)
      let marks =
        (((quotes &- ones) & ~quotes) | ((slashes &- ones) & ~slashes) | ((word &- (ones &* 0x20)) & ~word)) & highs
      if marks != 0 { return index + marks.trailingZeroBitCount / 8 }
      index += 8
    }
    while index < bytes.count, base[index] >= 0x20, base[index] != 0x22, base[index] != 0x5C { index += 1 }
    return index
  }

  private func matches(_ key: JSONStringSpan, _ field: String) -> Bool {
    let raw = UnsafeBufferPointer(rebasing: bytes[key.range])
    if !key.hasEscapes { return raw.elementsEqual(field.utf8) }
    var decoder = JSONStringDecoder()
    decoder.decode(raw)
    return decoder.withDecodedBytes { $0.elementsEqual(field.utf8) }
  }

  private mutating func number() throws {
    _ = consume(UInt8(ascii: "-"))
    if !consume(UInt8(ascii: "0")) { try digits() }
    if consume(UInt8(ascii: ".")) { try digits() }
    if consume(UInt8(ascii: "e")) || consume(UInt8(ascii: "E")) {
      if !consume(UInt8(ascii: "+")) { _ = consume(UInt8(ascii: "-")) }
      try digits()
    }
  }

  private mutating func digits() throws {
    let start = index
    while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
    if index == start { throw unexpected() }
  }

  private mutating func literal(_ word: StaticString) throws {
    for offset in 0..<word.utf8CodeUnitCount {
      guard consume(word.utf8Start[offset]) else { throw unexpected() }
    }
  }

  private mutating func skipSpace() {
    while index < bytes.count {
      switch bytes[index] {
      case 0x20, 0x09, 0x0D, 0x0A: index += 1
      default: return
      }
    }
  }

  private func peek() -> UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func consume(_ byte: UInt8) -> Bool {
    guard peek() == byte else { return false }
    index += 1
    return true
  }

  private func unexpected() -> JSONLineProblem {
    guard let byte = peek() else {
      return JSONLineProblem(reason: "the JSON object is incomplete at the end of the line")
    }
    let shown = (0x21...0x7E).contains(byte) ? "'\(Character(UnicodeScalar(byte)))'" : "byte \(byte)"
    return JSONLineProblem(reason: "invalid JSON at column \(index + 1) (\(shown))")
  }
}
