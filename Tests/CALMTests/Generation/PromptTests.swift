import CALM
import Testing
import Torch

@Suite("Prompts and options")
struct PromptTests {
  private let prompt = TinyGenerator.prompt(10)

  private func generator(
    _ model: ContinuousLanguageModel, _ prompt: [Int32], continuesText: Bool = false
  ) throws -> ChunkGenerator {
    try ChunkGenerator(model, prompt: prompt, options: TinyGenerator.options { $0.continuesText = continuesText })
  }

  private func expectHidden(
    _ model: ContinuousLanguageModel, _ prompt: [Int32], continuesText: Bool = false, toBeThatOf ids: [Int32]
  ) throws {
    let hidden = try generator(model, prompt, continuesText: continuesText).hidden
    let difference = (hidden - model.recomputedHidden(ids)).magnitude().elements(as: Float.self).max()!
    #expect(difference < 1e-5)
  }

  @Test("a chunk of the end token and padding precedes the start of a document if the training text has end tokens")
  func startChunk() throws {
    let model = TinyGenerator.model()
    try expectHidden(model, Array(prompt[..<8]), toBeThatOf: [1, 0, 0, 0] + prompt[..<8])
    try expectHidden(model, prompt, toBeThatOf: [1, 0, 0, 0] + prompt[..<8])
    try expectHidden(model, [], toBeThatOf: [1, 0, 0, 0])
    try expectHidden(model, prompt, continuesText: true, toBeThatOf: Array(prompt[..<8]))
    let plain = TinyGenerator.model(hasDocumentEnds: false)
    try expectHidden(plain, prompt, toBeThatOf: Array(prompt[..<8]))
  }

  @Test("the start chunk precedes a prompt that is shorter than a chunk")
  func shortPrompt() throws {
    try expectHidden(TinyGenerator.model(hasDocumentEnds: false), Array(prompt[..<3]), toBeThatOf: [1, 0, 0, 0])
    try expectHidden(TinyGenerator.model(), Array(prompt[..<3]), continuesText: true, toBeThatOf: [1, 0, 0, 0])
    let withoutPadding = TinyGenerator.model(special: SpecialTokens(end: 1))
    try expectHidden(withoutPadding, [], toBeThatOf: [1, 1, 1, 1])
  }

  @Test("a prompt that ends a document is padded like a training document")
  func endedPrompt() throws {
    try expectHidden(TinyGenerator.model(), [5, 6, 1], toBeThatOf: [1, 0, 0, 0, 5, 6, 1, 0])
  }

  @Test("a prompt for a model without an end token must fill a chunk")
  func tooShort() throws {
    let model = TinyGenerator.model(special: SpecialTokens(padding: 0))
    #expect(throws: GenerationError.promptTooShort(tokens: 3, chunkSize: 4)) { try generator(model, [5, 6, 7]) }
    #expect(try generator(model, [5, 6, 7, 8]).hidden.shape == [1, 32])
  }

  @Test("the error for an id outside the vocabulary names its position", arguments: [-1, 12] as [Int32])
  func outsideVocabulary(id: Int32) {
    let error = GenerationError.idOutsideVocabulary(id: Int(id), position: 2, vocabularySize: 12)
    #expect(throws: error) { try generator(TinyGenerator.model(), [5, 6, id]) }
  }

  @Test("too few candidates for the temperature are an error of the batch sampler")
  func tooFewCandidates() throws {
    let model = TinyGenerator.model()
    let error = TemperatureError.tooFewCandidates(candidates: 2, minimum: 3, temperature: 0.4)
    func run(_ sampler: GenerationOptions.Sampler) throws -> ChunkGenerator {
      let options = try TinyGenerator.options(temperature: 0.4) {
        $0.candidates = 2
        $0.sampler = sampler
      }
      return try ChunkGenerator(model, prompt: [], options: options)
    }
    #expect(throws: error) { try run(.batch) }
    #expect(throws: Never.self) { try run(.exact) }
  }

  @Test("a temperature above 1 needs probabilities, and a temperature of 0 or less is always an error")
  func temperatureRange() throws {
    let hot = try TinyGenerator.options(temperature: 1.5)
    #expect(throws: TemperatureError.outOfRange(1.5)) {
      try ChunkGenerator(TinyGenerator.model(), prompt: [], options: hot)
    }
    #expect(throws: Never.self) { try hot.chosenSampler(among: [.logits]) }
    for value in [0, -1, .infinity] {
      let options = try TinyGenerator.options(temperature: value)
      #expect(throws: TemperatureError.notPositive(value)) { try options.validate() }
    }
  }

  @Test("the error for an option below 1 names the option")
  func tooSmall() {
    let changes: [(String, (inout GenerationOptions) -> Void)] = [
      ("number of candidates", { $0.candidates = 0 }), ("maximum number of samples", { $0.maximumSamples = 0 }),
      ("maximum number of new tokens", { $0.maximumTokens = 0 }), ("number of sequences", { $0.sequences = 0 }),
    ]
    for (name, change) in changes {
      #expect(throws: GenerationError.tooSmall(name, value: 0)) {
        try ChunkGenerator(TinyGenerator.model(), prompt: [], options: TinyGenerator.options(adjusting: change))
      }
    }
  }

  @Test("generation errors are one line")
  func oneLine() {
    let errors: [GenerationError] = [
      .tooSmall("top-k", value: 0), .promptTooShort(tokens: 3, chunkSize: 4),
      .idOutsideVocabulary(id: 9, position: 0, vocabularySize: 8), .beginningTooRare(tokens: 2, matches: 1, samples: 9),
    ]
    for error in errors { #expect(!error.description.contains("\n")) }
  }
}
