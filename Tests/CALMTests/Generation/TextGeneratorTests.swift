import CALM
import CALMTokenizer
import Testing
import Torch

@Suite("Generated text")
struct TextGeneratorTests {
  /// A tokenizer of single bytes, so that characters beyond ASCII take several tokens.
  private func byteTokenizer() throws -> Tokenizer {
    var trainer = try BPETrainer(vocabularySize: 259)
    trainer.add("abc")
    return try trainer.train()
  }

  private let model = TinyGenerator.model(
    vocabulary: 259, special: SpecialTokens(padding: 0, beginning: 1, end: 2), latentDeviation: 2)

  @Test("the concatenated pieces are the text of the tokens without special tokens")
  func pieces() throws {
    let tokenizer = try byteTokenizer()
    let options = try TinyGenerator.options {
      $0.sequences = 4
      $0.maximumTokens = 90
    }
    let generator = try TextGenerator(model, tokenizer: tokenizer, prompt: "Zoë went", options: options)
    var texts = Array(repeating: "", count: 4)
    while let pieces = try generator.step() {
      for piece in pieces { texts[piece.sequence] += piece.text }
    }
    for (text, sequence) in zip(texts, generator.sequences) {
      #expect(text == (try tokenizer.decode(sequence.tokens, skipSpecial: true)))
      #expect(sequence.end != nil)
    }
    #expect(texts == generator.texts)
    #expect(Set(texts).count > 1)
  }

  @Test("the name of a special token in the prompt is ordinary text")
  func specialTokensAreText() throws {
    let tokenizer = try byteTokenizer()
    let options = try TinyGenerator.options { $0.maximumTokens = 20 }
    let text = try TextGenerator(model, tokenizer: tokenizer, prompt: "a<eos>", options: options)
    let ids = tokenizer.encode("a<eos>")
    #expect(ids.count == 6)
    let tokens = try ChunkGenerator(model, prompt: ids, options: options)
    while try text.step() != nil {}
    #expect(try text.sequences == tokens.run())
  }

  @Test("an id outside the tokenizer's vocabulary ends generation with an error that names it")
  func idWithoutText() throws {
    let larger = TinyGenerator.model(
      vocabulary: 600, special: SpecialTokens(padding: 0, beginning: 1, end: 2), latentDeviation: 2)
    let options = try TinyGenerator.options { $0.sequences = 20 }
    let generator = try TextGenerator(larger, tokenizer: byteTokenizer(), prompt: "abc", options: options)
    let error = #expect(throws: GenerationError.self) { while try generator.step() != nil {} }
    guard case .idWithoutText(let id, let tokens) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect((259..<600).contains(id) && tokens == 259)
    #expect("\(GenerationError.idWithoutText(id: id, tokens: tokens))".contains("id \(id)"))
  }
}
