/// The classes of characters that the split patterns distinguish.
///
/// Every character is in exactly one class. Sets of classes correspond to the bracket expressions of the patterns:
/// `[^\s\p{L}\p{N}]` is `.other` and `\s` is `.whitespace`.
struct CharacterClass: OptionSet {
  let rawValue: UInt8

  /// `\p{L}`.
  static let letter = CharacterClass(rawValue: 1)
  /// `\p{N}`.
  static let number = CharacterClass(rawValue: 2)
  /// `\s` without carriage return and line feed.
  static let space = CharacterClass(rawValue: 4)
  /// `[\r\n]`.
  static let newline = CharacterClass(rawValue: 8)
  /// Everything else, including invalid UTF-8.
  static let other = CharacterClass(rawValue: 16)

  /// `\s`.
  static let whitespace: CharacterClass = [.space, .newline]
}

/// A table of the class of every code point; a lookup takes one or two loads.
final class CharacterClassTable: @unchecked Sendable {
  // The tables are never freed and never written after `init`, which makes the unchecked conformance correct.
  static let shared = CharacterClassTable()

  /// The classes of the bytes below 0x80; zero for other bytes.
  let ascii: UnsafePointer<UInt8>
  /// Two bits per code point, four code points per byte: 0 other, 1 letter, 2 number, 3 space.
  private let packed: UnsafePointer<UInt8>
  /// The first code point after which all are `.other`.
  private let limit: UInt32

  private init() {
    let tables = [
      (UnicodeCategoryRanges.letters, UInt8(1)), (UnicodeCategoryRanges.numbers, 2),
      (UnicodeCategoryRanges.whitespace, 3),
    ]
    let limit = tables.map { $0.0.last?.1 ?? 0 }.reduce(0, max) + 1
    let packed = UnsafeMutablePointer<UInt8>.allocate(capacity: Int(limit) / 4 + 1)
    packed.initialize(repeating: 0, count: Int(limit) / 4 + 1)
    for (ranges, code) in tables {
      for (first, last) in ranges {
        for point in first...last { packed[Int(point >> 2)] |= code << UInt8((point & 3) * 2) }
      }
    }
    self.packed = UnsafePointer(packed)
    self.limit = limit

    let ascii = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
    ascii.initialize(repeating: 0, count: 256)
    for byte in 0..<0x80 {
      let code = packed[byte >> 2] >> UInt8((byte & 3) * 2) & 3
      ascii[byte] = Self.classes[Int(code)].rawValue
    }
    ascii[0x0A] = CharacterClass.newline.rawValue
    ascii[0x0D] = CharacterClass.newline.rawValue
    self.ascii = UnsafePointer(ascii)
  }

  private static let classes: [CharacterClass] = [.other, .letter, .number, .space]

  /// The class of a code point above 0x7F.
  @inline(__always)
  func classOfNonASCII(_ point: UInt32) -> CharacterClass {
    guard point < limit else { return .other }
    switch packed[Int(point >> 2)] >> UInt8((point & 3) * 2) & 3 {
    case 1: return .letter
    case 2: return .number
    case 3: return .space
    default: return .other
    }
  }
}
