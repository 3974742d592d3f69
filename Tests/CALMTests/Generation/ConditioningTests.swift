import CALM
import CALMCorpus
import Testing
import Torch

@Suite("Partial prompt chunks")
struct ConditioningTests {
  private let model = TinyGenerator.model(special: SpecialTokens(padding: 0))
  private let prompt = TinyGenerator.prompt(8)

  /// Chunks that the model often samples after the prompt.
  private var likely: [Int32] {
    model.chunks(after: prompt, count: 1, generator: Generator(seed: 7))[0]
  }

  @Test(
    "the first chunk continues the partial chunk of the prompt", arguments: [GenerationOptions.Sampler.batch, .exact])
  func beginsWithLeftOver(sampler: GenerationOptions.Sampler) throws {
    for temperature in [1, 0.75, 0.5] {
      for count in 1...3 {
        let prompt = prompt + likely[..<count]
        let options = try TinyGenerator.options(temperature: temperature) {
          $0.maximumTokens = 8 - count
          $0.sampler = sampler
          $0.sequences = 3
          $0.maximumSamples = 1_000_000
        }
        let generator = try ChunkGenerator(model, prompt: prompt, options: options)
        let first = try #require(try generator.step())
        #expect(first.allSatisfy { $0.tokens.count == 4 - count && $0.end == nil })
        // The hidden states after it equal those of the prompt with the new tokens.
        _ = try generator.step()
        for chunk in first {
          let kept = generator.hidden.narrowed(0, chunk.sequence..<chunk.sequence + 1)
          let difference = kept - model.recomputedHidden(prompt + chunk.tokens)
          #expect(difference.magnitude().elements(as: Float.self).max()! < 1e-5)
        }
        #expect(generator.sequences.allSatisfy { !$0.forcedPrefix && $0.end == .maximumTokens })
      }
    }
  }

  // With a vocabulary of 5,000, the search covers its first tokens before all of it.
  @Test(
    "the batch rule chooses among the first candidates that match the partial prompt chunk", arguments: [1, 0.5],
    [12, 5_000])
  func sameAsFiltering(temperature: Double, vocabulary: Int) throws {
    let model =
      vocabulary == 12
      ? model
      : TinyGenerator.model(vocabulary: vocabulary, special: SpecialTokens(padding: 0), latentDeviation: 0.1)
    // A first token that some chunks have but most do not, so that one batch of samples has too few.
    let draws = model.chunks(after: prompt, count: 1_000, generator: Generator(seed: 7))
    let shares = Dictionary(grouping: draws) { $0[0] }.mapValues(\.count)
    let first = try #require(shares.filter { (20..<400).contains($0.value) }.max { $0.value < $1.value }?.key)
    let beginning = [first]
    let options = try TinyGenerator.options(temperature: temperature) {
      $0.maximumTokens = 3
      $0.candidates = 40
    }
    let generated = try ChunkGenerator(model, prompt: prompt + beginning, options: options).run()[0]
    let randomness = SequenceRandomness(seed: options.seed, sequence: 0, device: .cpu)
    var matching: [[Int32]] = []
    while matching.count < (temperature == 1 ? 1 : 40) {
      matching += model.chunks(after: prompt, count: 40, generator: randomness.noise)
        .filter { $0.starts(with: beginning) }
    }
    let rule = BatchTemperatureRule(temperature: try Temperature(options.temperature))
    let chunk = rule.select(from: matching.prefix(temperature == 1 ? 1 : 40), using: &randomness.selection)
    #expect(generated.tokens == Array(chunk[1...]))
    #expect(!generated.forcedPrefix)
  }

  @Test(
    "if no sampled chunk matches the partial prompt chunk, its tokens replace the first ones, and the sequence records it",
    arguments: [GenerationOptions.Sampler.batch, .exact], [1, 0.5])
  func forced(sampler: GenerationOptions.Sampler, temperature: Double) throws {
    // Chunks of two tokens from five, so that the exact sampler finds two equal ones long before its limit: 200 pairs
    // of 25 outcomes all differ with a probability below 3e-4, and the seed is fixed.
    let model = TinyGenerator.model(vocabulary: 6, chunkSize: 2, special: SpecialTokens(padding: 0))
    // The vector of token 3 is halfway between those of two others, so its logit is never the largest.
    for parameter in model.knownAutoencoder.namedParameters() where parameter.name.hasSuffix("embed_tokens.weight") {
      let rows = parameter.tensor.detached()
      rows.selected(0, 3).copy(from: (rows.selected(0, 2) + rows.selected(0, 4)) * 0.5)
    }
    let prompt = TinyGenerator.prompt(8, vocabulary: 6) + [3]
    let options = try TinyGenerator.options(temperature: temperature) {
      $0.maximumTokens = 3
      $0.sampler = sampler
      $0.maximumSamples = 400
      $0.sequences = 2
    }
    let generator = try ChunkGenerator(model, prompt: prompt, options: options)
    let first = try #require(try generator.step())
    _ = try generator.step()
    for (index, sequence) in generator.sequences.enumerated() {
      #expect(sequence.forcedPrefix)
      #expect(sequence.tokens.count == 3)
      let kept = generator.hidden.narrowed(0, index..<index + 1)
      let difference = kept - model.recomputedHidden(prompt + first[index].tokens)
      #expect(difference.magnitude().elements(as: Float.self).max()! < 1e-5)
    }
  }

  @Test(
    "a tokens head continues a partial prompt chunk that it would hardly sample",
    arguments: GenerationOptions.Sampler.allCases, [1, 0.5])
  func rare(sampler: GenerationOptions.Sampler, temperature: Double) throws {
    // Two of three tokens: some thousand samples would be needed for one that begins with them.
    let model = SmallModels.languageModel(head: .tokens)
    var options = GenerationOptions(temperature: temperature, candidates: 20, maximumTokens: 1, seed: 3)
    (options.sampler, options.maximumSamples) = (sampler, 400)
    let prompt = TinyGenerator.prompt(11, vocabulary: SmallModels.vocabularySize)
    let generated = try ChunkGenerator(model, prompt: prompt, options: options).run()[0]
    #expect(!generated.forcedPrefix)
    #expect(generated.tokens.count == 1)
  }

  @Test("too few matching samples for the exact sampler are an error with the counts")
  func tooRare() throws {
    let options = try TinyGenerator.options(temperature: 0.02) {
      $0.sampler = .exact
      $0.maximumSamples = 500
    }
    let generator = try ChunkGenerator(model, prompt: prompt + likely[..<1], options: options)
    let error = #expect(throws: GenerationError.self) { try generator.step() }
    guard case .beginningTooRare(tokens: 1, let matches, samples: 500) = error else {
      Issue.record("another error: \(String(describing: error))")
      return
    }
    #expect(matches > 0 && matches < 500)
  }

  @Test("without a partial prompt chunk, the maximum number of samples is an error of the exact sampler")
  func maximumSamples() throws {
    let options = try TinyGenerator.options(temperature: 0.001) {
      $0.sampler = .exact
      $0.maximumSamples = 500
    }
    let generator = try ChunkGenerator(model, prompt: prompt, options: options)
    #expect(throws: TemperatureError.self) { try generator.step() }
  }
}
