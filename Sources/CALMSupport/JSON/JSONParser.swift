/// A syntax error in JSON.
package struct JSONSyntaxError: Error {
  /// One line that ends with the position in the text.
  package var reason: String
}

/// Parses JSON (RFC 8259) with limits on the depth and the number of values, so that no file can exhaust the stack or
/// the memory.
package struct JSONParser {
  private static let maximumDepth = 64

  private let text: UnsafeBufferPointer<UInt8>
  private var position = 0
  private var valuesLeft: Int

  /// Parses `bytes`.
  ///
  /// - Parameter maximumCount: The maximum number of values, including nested values.
  package static func parse(_ bytes: [UInt8], maximumCount: Int = 1 << 23) throws(JSONSyntaxError) -> JSONValue {
    let result = bytes.withUnsafeBufferPointer { buffer in
      Result { () throws(JSONSyntaxError) in
        var parser = JSONParser(text: buffer, valuesLeft: maximumCount)
        let value = try parser.parseValue(depth: 0)
        parser.skipWhitespace()
        guard parser.position == buffer.count else { throw parser.error("more text after the end") }
        return value
      }
    }
    return try result.get()
  }

  private init(text: UnsafeBufferPointer<UInt8>, valuesLeft: Int) {
    self.text = text
    self.valuesLeft = valuesLeft
    if text.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  private func error(_ reason: String) -> JSONSyntaxError {
    if position >= text.count { return JSONSyntaxError(reason: "\(reason) at the end of the file") }
    let line = text[..<position].reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
    return JSONSyntaxError(reason: "\(reason) at line \(line), byte \(position)")
  }

  private var current: UInt8? { position < text.count ? text[position] : nil }

  private mutating func skipWhitespace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  /// Skips whitespace, then `byte` if it is next.
  private mutating func skip(_ byte: UInt8) -> Bool {
    skipWhitespace()
    guard current == byte else { return false }
    position += 1
    return true
  }

  private mutating func parseValue(depth: Int) throws(JSONSyntaxError) -> JSONValue {
    guard depth < Self.maximumDepth else {
      throw error("nested more than \(Self.maximumDepth) levels deep")
    }
    valuesLeft -= 1
    guard valuesLeft >= 0 else { throw error("too many values") }
    skipWhitespace()
    guard let byte = current else { throw error("expected a value") }
    switch byte {
    case UInt8(ascii: "{"): return try parseObject(depth: depth)
    case UInt8(ascii: "["): return try parseArray(depth: depth)
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
    case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
    case UInt8(ascii: "n"): return try parseWord("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
    default: throw error("expected a value")
    }
  }

  private mutating func parseWord(_ word: StaticString, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
    let count = word.utf8CodeUnitCount
    let expected = UnsafeBufferPointer(start: word.utf8Start, count: count)
    guard position + count <= text.count, text[position..<position + count].elementsEqual(expected) else {
      throw error("expected a value")
    }
    position += count
    return value
  }

  private mutating func parseObject(depth: Int) throws(JSONSyntaxError) -> JSONValue {
    position += 1
    var members: [JSONValue.Member] = []
    if skip(UInt8(ascii: "}")) { return .object(members) }
    repeat {
      skipWhitespace()
      guard current == UInt8(ascii: "\"") else { throw error("expected a key") }
      let key = try parseString()
      guard skip(UInt8(ascii: ":")) else { throw error("expected \":\"") }
      members.append(JSONValue.Member(key: key, value: try parseValue(depth: depth + 1)))
    } while skip(UInt8(ascii: ","))
    guard skip(UInt8(ascii: "}")) else { throw error("expected \",\" or \"}\"") }
    return .object(members)
  }

  private mutating func parseArray(depth: Int) throws(JSONSyntaxError) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    if skip(UInt8(ascii: "]")) { return .array(elements) }
    repeat {
      elements.append(try parseValue(depth: depth + 1))
    } while skip(UInt8(ascii: ","))
    guard skip(UInt8(ascii: "]")) else { throw error("expected \",\" or \"]\"") }
    return .array(elements)
  }

  private mutating func parseNumber() throws(JSONSyntaxError) -> JSONValue {
    let start = position
    var isInteger = true
    if current == UInt8(ascii: "-") { position += 1 }
    if current == UInt8(ascii: "0") { position += 1 } else { try skipDigits() }
    if current == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      try skipDigits()
    }
    if let byte = current, byte | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      position += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
      try skipDigits()
    }
    let digits = String(decoding: text[start..<position], as: UTF8.self)
    if isInteger, let value = Int(digits) { return .integer(value) }
    guard digits.utf8.count <= 400, let value = Double(digits) else { throw error("malformed number") }
    return .number(value)
  }

  /// Skips one or more digits.
  private mutating func skipDigits() throws(JSONSyntaxError) {
    let start = position
    while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    guard position > start else { throw error("malformed number") }
  }

  private mutating func parseString() throws(JSONSyntaxError) -> String {
    position += 1
    let start = position
    while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
    guard current != UInt8(ascii: "\"") else {
      defer { position += 1 }
      return try validated(text[start..<position])
    }
    var bytes = Array(text[start..<position])
    while let byte = current, byte != UInt8(ascii: "\"") {
      guard byte >= 0x20 else { throw error("control character in a string") }
      position += 1
      if byte == UInt8(ascii: "\\") {
        try bytes.append(contentsOf: parseEscape())
      } else {
        bytes.append(byte)
      }
    }
    guard current != nil else { throw error("unterminated string") }
    position += 1
    return try validated(bytes)
  }

  private func validated(_ bytes: some Collection<UInt8>) throws(JSONSyntaxError) -> String {
    let string = String(decoding: bytes, as: UTF8.self)
    // Decoding replaces invalid bytes.
    guard string.utf8.elementsEqual(bytes) else { throw error("invalid UTF-8 in a string") }
    return string
  }

  /// Parses the escape sequence after a backslash and returns its UTF-8.
  private mutating func parseEscape() throws(JSONSyntaxError) -> [UInt8] {
    guard let byte = current else { throw error("unterminated string") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      var value = try parseHexadecimal()
      if (0xD800...0xDBFF).contains(value) {
        guard skipLowSurrogatePrefix() else { throw error("unpaired surrogate") }
        let low = try parseHexadecimal()
        guard (0xDC00...0xDFFF).contains(low) else { throw error("unpaired surrogate") }
        value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(value) else { throw error("unpaired surrogate") }
      return Array(String(scalar).utf8)
    default: throw error("unknown escape sequence")
    }
  }

  private mutating func skipLowSurrogatePrefix() -> Bool {
    guard position + 2 <= text.count, text[position] == UInt8(ascii: "\\"), text[position + 1] == UInt8(ascii: "u")
    else { return false }
    position += 2
    return true
  }

  private mutating func parseHexadecimal() throws(JSONSyntaxError) -> UInt32 {
    guard position + 4 <= text.count else { throw error("unterminated string") }
    var value: UInt32 = 0
    for byte in text[position..<position + 4] {
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: throw error("malformed \\u escape")
      }
      value = value << 4 | UInt32(digit)
    }
    position += 4
    return value
  }
}
