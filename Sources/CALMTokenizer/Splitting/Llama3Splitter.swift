/// The pattern of Llama 3:
///
///     (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
enum Llama3Splitter: Splitter {
  @inline(__always)
  static func endOfPiece(at start: Int, in text: ClassifiedText) -> Int {
    let first = text.byte(at: start)
    if first == UInt8(ascii: "'"), let end = endOfContraction(at: start, in: text) { return end }

    let (found, length) = text.character(at: start)
    let next = start + length
    switch found {
    case .letter:
      return text.skip(.letter, from: next)
    case .number:
      return endOfNumber(after: next, in: text)
    case .newline:
      return endOfLineBreaks(at: start, in: text) ?? text.endOfWhitespace(at: start)
    default:
      break
    }
    // A space or any other character: `[^\r\n\p{L}\p{N}]?\p{L}+`, then ` ?[^\s\p{L}\p{N}]+[\r\n]*`.
    let following = text.characterClass(at: next)
    if following == .letter { return text.skip(.letter, from: next) }
    if found == .other || (first == UInt8(ascii: " ") && following == .other) {
      return text.skip(.newline, from: text.skip(.other, from: next))
    }
    return endOfLineBreaks(at: start, in: text) ?? text.endOfWhitespace(at: start)
  }

  /// The rest of `\p{N}{1,3}` after its first character.
  @inline(__always)
  private static func endOfNumber(after position: Int, in text: ClassifiedText) -> Int {
    var end = position
    for _ in 0..<2 {
      guard end < text.end else { break }
      let (found, length) = text.character(at: end)
      guard found == .number else { break }
      end += length
    }
    return end
  }

  /// `\s*[\r\n]+` at whitespace: the end of the last line break in the run, if any.
  @inline(__always)
  private static func endOfLineBreaks(at start: Int, in text: ClassifiedText) -> Int? {
    var end: Int?
    var position = start
    while position < text.end {
      let (found, length) = text.character(at: position)
      if CharacterClass.whitespace.isDisjoint(with: found) { break }
      position += length
      if found == .newline { end = position }
    }
    return end
  }

  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)` at an apostrophe.
  ///
  /// Unicode's simple case folding adds one character beyond ASCII: U+017F, the long s.
  private static func endOfContraction(at start: Int, in text: ClassifiedText) -> Int? {
    guard start + 1 < text.end else { return nil }
    func lowercased(_ index: Int) -> UInt8 { text.byte(at: index) | 0x20 }
    let second = lowercased(start + 1)
    switch second {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
      let third = second == UInt8(ascii: "l") ? UInt8(ascii: "l") : UInt8(ascii: "e")
      return start + 2 < text.end && lowercased(start + 2) == third ? start + 3 : nil
    default:
      let isLongS =
        start + 2 < text.end && text.byte(at: start + 1) == 0xC5 && text.byte(at: start + 2) == 0xBF
      return isLongS ? start + 3 : nil
    }
  }
}
