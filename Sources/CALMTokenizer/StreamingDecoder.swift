/// Decodes ids as they are generated, returning only whole characters.
///
///     var decoder = StreamingDecoder(tokenizer)
///     for id in generated { print(try decoder.append(id), terminator: "") }
///     print(decoder.finish())
///
/// The concatenated parts equal the result of `Tokenizer.decode` for all ids. The bytes of a character that spans
/// several tokens are held back until it is complete; invalid bytes become U+FFFD.
public struct StreamingDecoder {
  private let tokenizer: Tokenizer
  private let skipSpecial: Bool
  private var held: [UInt8] = []

  /// - Parameter skipSpecial: Whether to omit special tokens.
  public init(_ tokenizer: Tokenizer, skipSpecial: Bool = false) {
    self.tokenizer = tokenizer
    self.skipSpecial = skipSpecial
  }

  /// Adds the next id and returns the text completed by it.
  ///
  /// - Throws: ``TokenizerError/idOutOfRange(id:vocabularySize:)``.
  public mutating func append(_ id: Int32) throws -> String {
    let token = tokenizer.vocabulary[try tokenizer.checked(id)]
    if skipSpecial && tokenizer.isSpecial[Int(id)] { return "" }
    held.append(contentsOf: token)
    let complete = held.count - Self.lengthOfIncompleteCharacter(endOf: held)
    let text = String(decoding: held[..<complete], as: UTF8.self)
    held.removeFirst(complete)
    return text
  }

  /// Returns the end of the text: U+FFFD if it ends within a character, otherwise an empty string.
  public mutating func finish() -> String {
    defer { held.removeAll() }
    return String(decoding: held, as: UTF8.self)
  }

  /// The number of bytes at the end of `bytes` that begin an incomplete character.
  private static func lengthOfIncompleteCharacter(endOf bytes: [UInt8]) -> Int {
    for length in 1...3 where length <= bytes.count {
      let lead = bytes[bytes.count - length]
      if lead & 0xC0 == 0x80 { continue }
      let needed =
        switch lead {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 1
        }
      guard needed > length else { return 0 }
      // The second byte shows whether the sequence is overlong, a surrogate or above U+10FFFF.
      if length > 1 {
        let second = bytes[bytes.count - length + 1]
        let allowed: ClosedRange<UInt8> =
          switch lead {
          case 0xE0: 0xA0...0xBF
          case 0xED: 0x80...0x9F
          case 0xF0: 0x90...0xBF
          case 0xF4: 0x80...0x8F
          default: 0x80...0xBF
          }
        guard allowed.contains(second) else { return 0 }
      }
      return length
    }
    return 0
  }
}
