/// UTF-8 bytes viewed as a sequence of character classes, which the splitters read.
///
/// A byte outside a well-formed UTF-8 sequence counts as one character of class `.other`, so any bytes can be split,
/// and the pieces join to the same bytes.
struct ClassifiedText {
  private let bytes: UnsafePointer<UInt8>
  /// The index after the last byte, where lookahead sees the end of the text.
  let end: Int
  private let table: CharacterClassTable
  private let ascii: UnsafePointer<UInt8>

  /// - Parameter end: The end of the text in `bytes`, for a text that ends before a special token.
  init(_ bytes: UnsafePointer<UInt8>, end: Int) {
    self.bytes = bytes
    self.end = end
    table = CharacterClassTable.shared
    ascii = table.ascii
  }

  @inline(__always)
  func byte(at index: Int) -> UInt8 { bytes[index] }

  /// The class and the length in bytes of the character at `index`, which must be before `end`.
  @inline(__always)
  func character(at index: Int) -> (class: CharacterClass, length: Int) {
    let fast = ascii[Int(bytes[index])]
    return fast != 0 ? (CharacterClass(rawValue: fast), 1) : nonASCIICharacter(at: index)
  }

  /// The class of the character at `index`, or an empty set at the end of the text.
  @inline(__always)
  func characterClass(at index: Int) -> CharacterClass {
    index < end ? character(at: index).class : []
  }

  /// The end of the run of characters of the classes `wanted` that begins at `start`.
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
  /// The end of the run of whitespace at `index`, without its last character if a non-whitespace character follows:
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

  /// A position up to which the pieces do not depend on the text that follows: a piece that ends at or before it is
  /// final. Nil if there is no such position at or after `start`.
  ///
  /// To find the end of a piece, the patterns look ahead at most over the following whitespace and one more character,
  /// and over three bytes after an apostrophe. So a piece is final if a non-whitespace character begins at or after
  /// its end and the text has at least four bytes from there.
  func lastCertainBoundary(from start: Int) -> Int? {
    var index = end - 4
    while index >= start {
      if bytes[index] & 0xC0 != 0x80, character(at: index).class.isDisjoint(with: .whitespace) { return index }
      index -= 1
    }
    return nil
  }
}
