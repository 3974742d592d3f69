/// The printable characters that represent bytes in the vocabulary of a byte-level `tokenizer.json`.
///
/// The mapping comes from GPT-2: printable ASCII and Latin-1 characters represent themselves, and U+0100 to U+0143
/// represent the other 68 bytes in order. A space is "Ġ", a line feed "Ċ".
enum ByteLevelAlphabet {
  /// The character of each byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (UInt32(0)..<256).map { byte in
      let isPrintable =
        (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
      defer { next += isPrintable ? 0 : 1 }
      return Unicode.Scalar(isPrintable ? byte : next) ?? " "
    }
  }()

  /// The bytes in the order of their characters, which is the order in vocabularies.
  static let bytesInOrder: [UInt8] = (UInt8.min...UInt8.max).sorted { scalars[Int($0)] < scalars[Int($1)] }

  /// The byte of each character below U+0144, or −1.
  private static let bytes: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar.value)] = Int16(byte) }
    return bytes
  }()

  /// Appends the bytes that `token` represents to `result`. Returns false if a character represents no byte.
  static func decode(_ token: some StringProtocol, into result: inout [UInt8]) -> Bool {
    for scalar in token.unicodeScalars {
      guard scalar.value < 0x144, bytes[Int(scalar.value)] >= 0 else { return false }
      result.append(UInt8(bytes[Int(scalar.value)]))
    }
    return true
  }

  /// The bytes that `token` represents; nil if a character represents no byte.
  static func decode(_ token: some StringProtocol) -> [UInt8]? {
    var result: [UInt8] = []
    return decode(token, into: &result) ? result : nil
  }

  /// The characters that represent `bytes`.
  static func encode(_ bytes: some Sequence<UInt8>) -> String {
    var result = String.UnicodeScalarView()
    for byte in bytes { result.append(scalars[Int(byte)]) }
    return String(result)
  }
}
