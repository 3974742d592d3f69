import CALMCorpus
import CALMSupport
import CALMTokenizer
import Foundation
import Testing

@Suite struct SplittingTests {
  private func pieces(_ text: String, _ pattern: SplitPattern) -> [String] {
    let bytes = Array(text.utf8)
    var start = 0
    return pattern.pieceLengths(of: bytes).map { length in
      defer { start += length }
      return String(decoding: bytes[start..<start + length], as: UTF8.self)
    }
  }

  @Test("The GPT-2 splitter follows its regular expression")
  func gpt2() {
    #expect(pieces("Hello world", .gpt2) == ["Hello", " world"])
    #expect(pieces("it's they'll DON'T", .gpt2) == ["it", "'s", " they", "'ll", " DON", "'", "T"])
    #expect(pieces("a  b \n\n c", .gpt2) == ["a", " ", " b", " \n\n", " c"])
    #expect(pieces("x  ", .gpt2) == ["x", "  "])
    #expect(pieces("\n\nfoo", .gpt2) == ["\n", "\n", "foo"])
    #expect(pieces("1234 ½!?", .gpt2) == ["1234", " ½", "!?"])
    #expect(pieces("", .gpt2) == [])
  }

  @Test("The Llama 3 splitter follows its regular expression")
  func llama3() {
    #expect(pieces("it's DON'T 'ſo", .llama3) == ["it", "'s", " DON", "'T", " '", "ſo"])
    #expect(pieces("a'ſb", .llama3) == ["a", "'ſ", "b"])
    #expect(pieces("12345 x", .llama3) == ["123", "45", " x"])
    #expect(pieces("(foo) \tbar", .llama3) == ["(foo", ")", " ", "\tbar"])
    #expect(pieces("end!\n\n  next", .llama3) == ["end", "!\n\n", " ", " next"])
    #expect(pieces("a \n \n  b", .llama3) == ["a", " \n \n", " ", " b"])
    #expect(pieces("  ", .llama3) == ["  "])
  }

  /// Foundation's regular expressions (ICU) are an independent implementation that differs only in `\s`.
  @Test(
    "The splitters split random text in the same way as a regular-expression engine",
    arguments: [SplitPattern.gpt2, .llama3])
  func agreesWithRegularExpressions(pattern: SplitPattern) throws {
    let inside = #"\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000"#
    let expression = try #require(pattern.regularExpression)
      .replacingOccurrences(of: #"[^\s"#, with: "[^\(inside)")
      .replacingOccurrences(of: #"\s"#, with: "[\(inside)]")
      .replacingOccurrences(of: #"\S"#, with: "[^\(inside)]")
    let engine = try NSRegularExpression(pattern: expression)
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<1_000 {
      let text = SampleText.random(&generator, length: Int.random(in: 1...24, using: &generator))
      let units = NSString(string: text)
      let matches = engine.matches(in: text, range: NSRange(location: 0, length: units.length))
      #expect(
        pattern.pieceLengths(of: Array(text.utf8)) == matches.map { units.substring(with: $0.range).utf8.count },
        "\(text.debugDescription)")
    }
  }

  @Test("The splitters use the letters, numbers and whitespace of Unicode 16")
  func unicodeCategories() {
    func isOnePiece(_ prefix: String, _ scalar: Unicode.Scalar) -> Bool {
      SplitPattern.gpt2.pieceLengths(of: Array(prefix.utf8) + Array(String(scalar).utf8)).count == 1
    }
    var disagreements: [Unicode.Scalar] = []
    for scalar in (UInt32(0)...0x10FFFF).lazy.compactMap(Unicode.Scalar.init) {
      let properties = scalar.properties
      // The standard library may use a later version that assigns more characters.
      guard let age = properties.age, age <= (16, 0) else { continue }
      let expected: (Bool, Bool, Bool) =
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: (true, false, false)
        case .decimalNumber, .letterNumber, .otherNumber: (false, true, false)
        default: (false, false, !properties.isWhitespace)
        }
      if (isOnePiece("a", scalar), isOnePiece("1", scalar), isOnePiece("!", scalar)) != expected {
        disagreements.append(scalar)
      }
    }
    #expect(disagreements.isEmpty)
  }

  @Test("The pieces of any bytes cover them without gaps", arguments: SplitPattern.allCases)
  func anyBytes(pattern: SplitPattern) {
    var generator = SeededGenerator(seed: 2)
    for length in 0..<400 {
      let bytes = SampleText.randomBytes(&generator, length: length)
      let lengths = pattern.pieceLengths(of: bytes)
      #expect(lengths.reduce(0, +) == bytes.count)
      #expect(lengths.allSatisfy { $0 > 0 })
    }
  }
}
