import CALMCorpus
import CALMSupport
import CALMTokenizer
import Foundation
import Testing

@Suite struct EncodingTests {
  @Test("Encoding and decoding returns any bytes unchanged", arguments: SplitPattern.allCases)
  func roundTrip(pattern: SplitPattern) throws {
    let tokenizer = try SampleText.tokenizer(pattern)
    var generator = SeededGenerator(seed: 3)
    for length in 0..<300 {
      let bytes = SampleText.randomBytes(&generator, length: length)
      #expect(try tokenizer.decodeBytes(tokenizer.encode(bytes: bytes)) == bytes)
      let text = SampleText.random(&generator, length: length / 4)
      #expect(try tokenizer.decode(tokenizer.encode(text)).utf8.elementsEqual(text.utf8))
      #expect(try tokenizer.decode(tokenizer.encode(text, allowSpecial: true)).utf8.elementsEqual(text.utf8))
    }
  }

  /// Merging by definition: find the leftmost pair of the lowest rank, merge it, and repeat.
  private func mergedByDefinition(_ piece: ArraySlice<UInt8>, _ tokenizer: Tokenizer) throws -> [[UInt8]] {
    var ranks: [[UInt8]: Int32] = [:]
    for id in Int32(0)..<Int32(tokenizer.vocabularySize) { ranks[try tokenizer.token(for: id)] = id }
    var parts = piece.map { [$0] }
    while true {
      let candidates = parts.indices.dropLast().compactMap { index in
        ranks[parts[index] + parts[index + 1]].map { (rank: $0, index: index) }
      }
      guard let best = candidates.min(by: { $0 < $1 }) else { return parts }
      parts[best.index] += parts.remove(at: best.index + 1)
    }
  }

  /// In the trained vocabulary, ids follow the order of merges, and no two merges produce the same token.
  @Test(
    "Merging follows its definition for short and long pieces", arguments: [1, 7, 40, 96, 97, 98, 200, 700])
  func definition(length: Int) throws {
    let tokenizer = try SampleText.tokenizer(.wholeText, vocabularySize: 330)
    var generator = SeededGenerator(seed: UInt64(length))
    for alphabet in [["a"], ["a", "n", "d"], ["t", "h", "e", " ", "m", "i", "l"]] {
      let text = SampleText.random(&generator, parts: alphabet, length: length)
      let expected = try mergedByDefinition(Array(text.utf8)[...], tokenizer)
      #expect(try tokenizer.encode(text).map { try tokenizer.token(for: $0) } == expected)
    }
  }

  @Test("Encoding a long run of one letter does not take quadratic time")
  func longRun() throws {
    // Merging two million bytes in quadratic time would take hours.
    var trainer = try BPETrainer(vocabularySize: 270)
    trainer.add(String(repeating: "a", count: 2_000))
    let tokenizer = try trainer.train()
    let bytes = [UInt8](repeating: UInt8(ascii: "a"), count: 2_000_000)
    let ids = tokenizer.encode(bytes: bytes)
    #expect(ids.count < 100_000)
    #expect(try tokenizer.decodeBytes(ids) == bytes)
  }

  @Test("Special tokens in text are encoded as text unless they are allowed")
  func specialTokens() throws {
    let tokenizer = try SampleText.tokenizer()
    let pad = try #require(tokenizer.padToken)
    let eos = try #require(tokenizer.eosToken)
    let text = "a<eos>b<pad>"
    #expect(tokenizer.encode(text).allSatisfy { $0 > 2 })
    #expect(
      tokenizer.encode(text, allowSpecial: true) == tokenizer.encode("a") + [eos] + tokenizer.encode("b") + [pad])
    #expect(try tokenizer.decode(tokenizer.encode(text, allowSpecial: true), skipSpecial: true) == "ab")
    #expect(try tokenizer.decode(tokenizer.encode(text), skipSpecial: true) == text)
  }

  @Test("A tokenizer encodes correctly when several tasks use it at once")
  func concurrency() async throws {
    let tokenizer = try SampleText.tokenizer()
    var generator = SeededGenerator(seed: 4)
    let texts = (0..<64).map { _ in SampleText.random(&generator, length: 200) }
    let expected = texts.map { tokenizer.encode($0) }
    await withTaskGroup(of: Bool.self) { group in
      for (text, ids) in zip(texts, expected) { group.addTask { tokenizer.encode(text) == ids } }
      for await isEqual in group { #expect(isEqual) }
    }
  }
}

@Suite struct StreamingEncoderTests {
  private func stream(_ bytes: [UInt8], _ tokenizer: Tokenizer, allowSpecial: Bool, parts: [Int]) -> [Int32] {
    var encoder = StreamingEncoder(tokenizer, allowSpecial: allowSpecial)
    var ids: [Int32] = []
    var start = 0
    for length in parts where start < bytes.count {
      let end = min(bytes.count, start + length)
      encoder.append(bytes: bytes[start..<end], to: &ids)
      start = end
    }
    encoder.append(bytes: bytes[start...], to: &ids)
    encoder.finish(to: &ids)
    return ids
  }

  private func tokenizers() throws -> [Tokenizer] {
    try SplitPattern.allCases.map { try SampleText.tokenizer($0) }
      + ["llama-like.json", "prefix-space.json"].map {
        try Tokenizer(contentsOf: TestFiles.fixtures.appendingPathComponent($0))
      }
  }

  @Test(
    "A streaming encoder gives the ids of the whole text, regardless of where the parts end", arguments: [false, true])
  func sameIDs(allowSpecial: Bool) throws {
    var generator = SeededGenerator(seed: 5)
    let parts = SampleText.parts + ["the one", "one two", "<|end|>", "<|end|>>", " LL"]
    for tokenizer in try tokenizers() {
      // Several times longer than the encoder's buffer.
      let text = SampleText.random(&generator, parts: parts, length: 120_000)
      let expected = tokenizer.encode(text, allowSpecial: allowSpecial)
      for range in [1...3, 1...70_000, 60_000...70_000] {
        let lengths = (0..<40).map { _ in Int.random(in: range, using: &generator) }
        #expect(stream(Array(text.utf8), tokenizer, allowSpecial: allowSpecial, parts: lengths) == expected)
      }
    }
  }

  /// The encoder finds the final part of the text every 64 KiB. The test moves that boundary over a text.
  @Test(
    "The ids of a streaming encoder do not depend on the boundary between final and pending text",
    arguments: [false, true])
  func everyBorder(allowSpecial: Bool) throws {
    var generator = SeededGenerator(seed: 6)
    let parts = SampleText.parts + ["the one", "one two", "<|end|>", "<|end|>>", " LL"]
    for tokenizer in try tokenizers() where tokenizer.splitPattern != .wholeText {
      let text = Array(SampleText.random(&generator, parts: parts, length: 60).utf8)
      for offset in stride(from: 0, to: text.count, by: runsLongTests ? 1 : 5) {
        let filler = [UInt8](repeating: UInt8(ascii: "x"), count: (1 << 16) - offset - 1) + [UInt8(ascii: " ")]
        let bytes = filler + text
        #expect(
          stream(bytes, tokenizer, allowSpecial: allowSpecial, parts: [bytes.count])
            == tokenizer.encode(bytes: bytes, allowSpecial: allowSpecial), "offset \(offset)")
      }
    }
  }

  @Test("A streaming encoder encodes invalid UTF-8")
  func anyBytes() throws {
    var generator = SeededGenerator(seed: 7)
    for tokenizer in try tokenizers() {
      let bytes = SampleText.randomBytes(&generator, length: 200_000)
      let lengths = (0..<20).map { _ in Int.random(in: 1...30_000, using: &generator) }
      #expect(
        stream(bytes, tokenizer, allowSpecial: true, parts: lengths)
          == tokenizer.encode(bytes: bytes, allowSpecial: true))
    }
  }

  @Test("A streaming encoder can encode another text after finish")
  func reuse() throws {
    let tokenizer = try Tokenizer(contentsOf: TestFiles.fixtures.appendingPathComponent("prefix-space.json"))
    var encoder = StreamingEncoder(tokenizer)
    for text in ["one", "", "two"] {
      var ids: [Int32] = []
      encoder.append(text, to: &ids)
      encoder.finish(to: &ids)
      #expect(ids == tokenizer.encode(text))
    }
  }
}
