/// UTF-8 bytes seen as a sequence of character classes: what the splitters read.
///
/// A byte that is not part of a well-formed UTF-8 sequence counts as one character of class `.other`, so that any bytes
/// can be split, and joined again to the same bytes.
struct ClassifiedText {
  private let bytes: UnsafePointer<UInt8>
  /// One past the last byte; lookahead sees the end of the text here.
  let end: Int
  private let table: CharacterClassTable
  private let ascii: UnsafePointer<UInt8>

  /// - Parameter end: where the text ends inside `bytes`, for a text that is cut before a special token.
  init(_ bytes: UnsafePointer<UInt8>, end: Int) {
    self.bytes = bytes
    self.end = end
    table = CharacterClassTable.shared
    ascii = table.ascii
  }

  @inline(__always)
  func byte(at index: Int) -> UInt8 { bytes[index] }

  /// The class and the length in bytes of the character that begins at `index`, which must be before `end`.
  @inline(__always)
  func character(at index: Int) -> (class: CharacterClass, length: Int) {
    let fast = ascii[Int(bytes[index])]
    return fast != 0 ? (CharacterClass(rawValue: fast), 1) : nonASCIICharacter(at: index)
  }

  /// The class of the character that begins at `index`, or none at the end of the text.
  @inline(__always)
  func characterClass(at index: Int) -> CharacterClass {
    index < end ? character(at: index).class : []
  }

  /// Where the run of characters of the classes `wanted` that begins at `start` ends.
  @inline(__always)
  func skip(_ wanted: CharacterClass, from start: Int) -> Int {
    var index = start
    while index < end {
      let fast = ascii[Int(bytes[index])]
      if fast != 0 {
        if fast & wanted.rawValue == 0 { return index }
        index += 1
      } else {
        let (found, length) = nonASCIICharacter(at: index)
        if !wanted.contains(found) { return index }
        index += length
      }
    }
    return index
  }

  private func nonASCIICharacter(at index: Int) -> (class: CharacterClass, length: Int) {
    let invalid = (class: CharacterClass.other, length: 1)
    let lead = bytes[index]
    let available = end - index
    func continuation(_ offset: Int) -> UInt32? {
      let byte = bytes[index + offset]
      return byte & 0xC0 == 0x80 ? UInt32(byte & 0x3F) : nil
    }
    switch lead {
    case 0xC2...0xDF:
      guard available >= 2, let b1 = continuation(1) else { return invalid }
      return (table.classOfNonASCII(UInt32(lead & 0x1F) << 6 | b1), 2)
    case 0xE0...0xEF:
      guard available >= 3, let b1 = continuation(1), let b2 = continuation(2) else { return invalid }
      let point = UInt32(lead & 0x0F) << 12 | b1 << 6 | b2
      guard point >= 0x800, !(0xD800...0xDFFF).contains(point) else { return invalid }
      return (table.classOfNonASCII(point), 3)
    case 0xF0...0xF4:
      guard available >= 4, let b1 = continuation(1), let b2 = continuation(2), let b3 = continuation(3) else {
        return invalid
      }
      let point = UInt32(lead & 0x07) << 18 | b1 << 12 | b2 << 6 | b3
      guard (0x10000...0x10FFFF).contains(point) else { return invalid }
      return (table.classOfNonASCII(point), 4)
    default:
      return invalid
    }
  }
}

extension ClassifiedText {
  /// The end of the run of whitespace at `index`, less its last character if a character that is not whitespace follows:
  /// `\s+(?!\S)|\s+`.
  @inline(__always)
  func endOfWhitespace(at index: Int) -> Int {
    var last = index
    var position = index
    while position < end {
      let (found, length) = character(at: position)
      if !CharacterClass.whitespace.contains(found) { break }
      last = position
      position += length
    }
    return position < end && last > index ? last : position
  }

  /// A position up to which pieces are certain whatever follows the text, when the text before is split from a boundary:
  /// a piece that ends at or before it will not change. Nil if there is none from `start` on.
  ///
  /// To settle where a piece ends, the patterns look at most at the whitespace after it and one character more, and at
  /// three bytes after an apostrophe. So it is enough that a character other than whitespace begins at or after the
  /// piece's end and that four bytes of the text are there from it on.
  func lastCertainBoundary(from start: Int) -> Int? {
    var index = end - 4
    while index >= start {
      if bytes[index] & 0xC0 != 0x80, character(at: index).class.isDisjoint(with: .whitespace) { return index }
      index -= 1
    }
    return nil
  }
}
