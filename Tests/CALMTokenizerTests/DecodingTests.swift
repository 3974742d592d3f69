import CALMCorpus
import CALMSupport
import CALMTokenizer
import Testing

@Suite struct DecodingTests {
  @Test("The concatenated parts of a streaming decoder equal the text decoded at once, for any ids")
  func streamingEqualsWhole() throws {
    let tokenizer = try SampleText.tokenizer()
    var generator = SeededGenerator(seed: 8)
    for _ in 0..<2_000 {
      // Byte tokens above ASCII are frequent, so some sequences are well formed and others truncated, overlong or out
      // of range.
      let ids = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
        Bool.random(using: &generator)
          ? Int32.random(in: 0..<Int32(tokenizer.vocabularySize), using: &generator)
          : tokenizer.encode(bytes: [UInt8.random(in: 0x80...0xFF, using: &generator)])[0]
      }
      for skipSpecial in [false, true] {
        var decoder = StreamingDecoder(tokenizer, skipSpecial: skipSpecial)
        var text = ""
        for id in ids { text += try decoder.append(id) }
        text += decoder.finish()
        #expect(text.utf8.elementsEqual(try tokenizer.decode(ids, skipSpecial: skipSpecial).utf8))
      }
    }
  }

  @Test("A streaming decoder returns a character that spans several tokens when it is complete")
  func holdsBackIncompleteCharacters() throws {
    let tokenizer = try SampleText.tokenizer()
    var decoder = StreamingDecoder(tokenizer)
    let parts = try tokenizer.encode("a🚀é").map { try decoder.append($0) }
    #expect(parts == ["a", "", "", "", "🚀", "", "é"])
    #expect(decoder.finish() == "")
  }

  @Test("Invalid UTF-8 is decoded to U+FFFD, also at the end of the text")
  func invalidBytes() throws {
    let tokenizer = try SampleText.tokenizer()
    let ids = tokenizer.encode(bytes: [0x61, 0xFF, 0x62, 0xE2, 0x82])
    #expect(try tokenizer.decode(ids) == "a\u{FFFD}b\u{FFFD}")
    var decoder = StreamingDecoder(tokenizer)
    #expect(try ids.map { try decoder.append($0) } == ["a", "\u{FFFD}", "b", "", ""])
    #expect(decoder.finish() == "\u{FFFD}")
    #expect(decoder.finish() == "")
  }

  @Test("Decoding an id outside the vocabulary causes an error", arguments: [Int32(-1), 340, .max, .min])
  func outOfRange(id: Int32) throws {
    let tokenizer = try SampleText.tokenizer()
    try #require(tokenizer.vocabularySize == 340)
    let expected = TokenizerError.idOutOfRange(id: id, vocabularySize: 340)
    #expect(throws: expected) { try tokenizer.decode([5, id]) }
    #expect(throws: expected) { try tokenizer.token(for: id) }
    #expect(throws: expected) {
      var decoder = StreamingDecoder(tokenizer)
      _ = try decoder.append(id)
    }
  }
}
