/// The pattern of GPT-2:
///
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
enum GPT2Splitter: Splitter {
  @inline(__always)
  static func endOfPiece(at start: Int, in text: ClassifiedText) -> Int {
    let first = text.byte(at: start)
    if first == UInt8(ascii: "'"), let end = endOfContraction(at: start, in: text) { return end }

    // ` ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+`: a run of one class, optionally preceded by a space.
    let run = first == UInt8(ascii: " ") ? start + 1 : start
    let found = text.characterClass(at: run)
    if !found.isDisjoint(with: [.letter, .number, .other]) { return text.skip(found, from: run) }

    return text.endOfWhitespace(at: start)
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d` at an apostrophe.
  private static func endOfContraction(at start: Int, in text: ClassifiedText) -> Int? {
    guard start + 1 < text.end else { return nil }
    let second = text.byte(at: start + 1)
    switch second {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"), UInt8(ascii: "l"):
      let third = second == UInt8(ascii: "l") ? UInt8(ascii: "l") : UInt8(ascii: "e")
      return start + 2 < text.end && text.byte(at: start + 2) == third ? start + 3 : nil
    default:
      return nil
    }
  }
}
