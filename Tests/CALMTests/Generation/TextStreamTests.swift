import CALM
import CALMTokenizer
import Testing
import Torch

@Suite("Streams of generated text")
struct TextStreamTests {
  private func generator(
    special: SpecialTokens = SpecialTokens(padding: 0, beginning: 1, end: 2), vocabulary: Int = 259,
    options: GenerationOptions
  ) throws -> TextGenerator {
    var trainer = try BPETrainer(vocabularySize: 259)
    trainer.add("abc")
    let model = TinyGenerator.model(vocabulary: vocabulary, special: special, latentDeviation: 2)
    return try TextGenerator(model, tokenizer: trainer.train(), prompt: "Zoë went", options: options)
  }

  @Test("a stream has the same pieces in the same order as step()", arguments: [1, 0.5])
  func samePieces(temperature: Double) async throws {
    let options = GenerationOptions(temperature: temperature, maximumTokens: 60, sequences: 3, seed: 5)
    let stepwise = try generator(options: options)
    var expected: [TextGenerator.Piece] = []
    while let pieces = try stepwise.step() { expected += pieces }
    var pieces: [TextGenerator.Piece] = []
    for try await piece in try generator(options: options).stream() { pieces.append(piece) }
    #expect(pieces == expected)
  }

  // Without an end token, the generator would run for hours; the time limit fails the test instead.
  @Test("cancelling the task that reads a stream stops generation", .timeLimit(.minutes(10)))
  func cancellation() async throws {
    let options = GenerationOptions(maximumTokens: .max, seed: 5)
    weak var running: TextGenerator?
    let stream: AsyncThrowingStream<TextGenerator.Piece, any Error>
    do {
      let generator = try generator(special: SpecialTokens(padding: 0), options: options)
      running = generator
      stream = generator.stream()
    }
    let (started, start) = AsyncStream<Void>.makeStream()
    let reader = Task {
      for try await _ in stream { start.yield() }
    }
    for await _ in started { break }
    #expect(running != nil)
    reader.cancel()
    try await reader.value
    // The thread retains the generator until its last step has ended.
    while running != nil { try await Task.sleep(for: .milliseconds(1)) }
  }

  @Test("an error of generation ends its stream")
  func failure() async throws {
    let options = GenerationOptions(sequences: 20, seed: 5)
    let generator = try generator(vocabulary: 600, options: options)
    await #expect(throws: GenerationError.self) {
      for try await _ in generator.stream() {}
    }
  }
}
