import CALM
import Testing
import Torch

@Suite("Pieces of prompts")
struct PromptPieceTests {
  @Test("a sequence that takes pieces from another has the bits of one that reads them", arguments: [1, 2, 3])
  func pieces(kind: Int) throws {
    var shape = TransformerShape(hiddenSize: 32, layers: 2, attentionHeads: 4, keyValueHeads: 2)
    (shape.documentMasking, shape.hasAttentionBias) = (kind == 2, kind == 2)
    let batch: any BatchModel =
      kind == 1
      ? ContinuousBatch(TinyGenerator.model(input: .both))
      : AutoregressiveBatch(
        AutoregressiveModel(
          AutoregressiveConfiguration(vocabularySize: 12, transformer: shape, special: TinyGenerator.special),
          generator: Generator(seed: 3)))
    var prompt = TinyGenerator.prompt(200 * batch.chunkSize)
    // Documents end at the end token, 1.
    for place in [50, 130] { prompt[place * batch.chunkSize] = 1 }
    let options = GenerationOptions(temperature: 0.5, candidates: 20, maximumTokens: 40, seed: 5)
    let first = try batch.sequence(prompt: prompt, options: options, index: 0)
    var pieces: [(tokens: [Int32], piece: PromptPiece)] = []
    while batch.read(first) > 0 {
      if let piece = first.latestPiece { pieces.append(piece) }
    }
    #expect(pieces.count == 3)
    // Equal up to the middle of the third piece.
    let other = prompt.prefix(150 * batch.chunkSize) + TinyGenerator.prompt(70 * batch.chunkSize, seed: 8)
    let (reading, taking) = (
      try batch.sequence(prompt: Array(other), options: options, index: 0),
      try batch.sequence(prompt: Array(other), options: options, index: 0)
    )
    var taken = 0
    while let tokens = taking.nextPieceTokens, let (_, piece) = pieces.first(where: { $0.tokens == tokens }) {
      taking.take(piece)
      taken += 1
    }
    #expect(taken == 2)
    for sequence in [reading, taking] {
      while batch.read(sequence) > 0 {}
      while sequence.generated.end == nil { _ = try batch.step([sequence])[0].get() }
    }
    #expect(reading.generated == taking.generated)
    let hidden = try [reading, taking].map { try #require($0.hidden).withUnsafeBytes { Array($0) } }
    #expect(hidden[0] == hidden[1])
  }
}
