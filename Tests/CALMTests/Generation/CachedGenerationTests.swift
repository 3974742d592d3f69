import CALM
import CALMCorpus
import Testing
import Torch

@Suite("Generation with cached keys and values")
struct CachedGenerationTests {
  private let model = TinyGenerator.model(special: SpecialTokens(padding: 0))
  private let prompt = TinyGenerator.prompt(8)

  @Test("cached hidden states equal those recomputed from the whole sequence")
  func hiddenStates() throws {
    let options = try TinyGenerator.options {
      $0.maximumTokens = 60
      $0.sequences = 3
    }
    let generator = try ChunkGenerator(model, prompt: prompt, options: options)
    var before = Array(repeating: prompt, count: 3)
    while let chunks = try generator.step() {
      for (sequence, ids) in before.enumerated() {
        let kept = generator.hidden.narrowed(0, sequence..<sequence + 1)
        #expect((kept - model.recomputedHidden(ids)).magnitude().elements(as: Float.self).max()! < 1e-5)
      }
      for chunk in chunks { before[chunk.sequence] += chunk.tokens }
    }
    #expect(generator.sequences.map(\.chunks) == [15, 15, 15])
    #expect(Set(before).count == 3)
  }

  @Test(
    "generated tokens equal those of full decoding without a cache, with the same noise",
    arguments: [1, 0.75, 0.5, 1 / 3.0])
  func tokens(temperature: Double) throws {
    let options = try TinyGenerator.options(temperature: temperature) {
      $0.maximumTokens = 40
      // So few that no sets of candidates are tried first.
      $0.candidates = 14
    }
    let generated = try ChunkGenerator(model, prompt: prompt, options: options).run()[0]

    let randomness = SequenceRandomness(seed: options.seed, sequence: 0, device: .cpu)
    let rule = BatchTemperatureRule(temperature: try Temperature(options.temperature))
    var ids = prompt
    for _ in 0..<10 {
      let pool = model.chunks(after: ids, count: temperature == 1 ? 1 : 14, generator: randomness.noise)
      ids += rule.select(from: pool, using: &randomness.selection)
    }
    #expect(generated.tokens == Array(ids[prompt.count...]))
  }

  @Test("in generation, a model that reads latents reads the sampled latents", arguments: [ModelInput.latents, .both])
  func predictedLatents(input: ModelInput) throws {
    let model = TinyGenerator.model(special: SpecialTokens(padding: 0), input: input)
    let options = try TinyGenerator.options { $0.maximumTokens = 24 }
    let generated = try ChunkGenerator(model, prompt: prompt, options: options).run()[0]

    let randomness = SequenceRandomness(seed: options.seed, sequence: 0, device: .cpu)
    var ids = prompt.map(Int64.init)
    withoutGradients {
      var latents = model.knownAutoencoder.encode(Tensor(ids, shape: [1, ids.count])).mean.reshaped(
        1, ids.count / 4, -1)
      for _ in 0..<6 {
        let hidden = model.hiddenStates(Tensor(ids, shape: [1, ids.count]), latents: latents)
        let next = model.sampleLatents(
          hidden.selected(1, hidden.shape[1] - 1), count: 1, generator: randomness.noise)
        ids += model.knownAutoencoder.decode(next.selected(0, 0)).elements(as: Int32.self).map(Int64.init)
        latents = Tensor.concatenated([latents, next], along: 1)
      }
      #expect(generated.tokens == ids[prompt.count...].map { Int32($0) })
      // The encoder's latents of the tokens differ from the sampled ones.
      let again = model.knownAutoencoder.encode(Tensor(ids, shape: [1, ids.count])).mean.reshaped(1, ids.count / 4, -1)
      #expect(largestDifference(again, latents) > 1e-2)
    }
  }

  @Test("if all candidates differ, the choice equals that of full decoding")
  func nothingShared() throws {
    // With 4,000 ids and long chunks, most sets of three candidates are three different chunks.
    let model = TinyGenerator.model(
      vocabulary: 4_000, chunkSize: 6, special: SpecialTokens(padding: 0), latentDeviation: 3)
    let prompt = TinyGenerator.prompt(6, vocabulary: 4_000)
    let options = try TinyGenerator.options(temperature: 0.5) {
      $0.maximumTokens = 48
      $0.candidates = 3
    }
    let generated = try ChunkGenerator(model, prompt: prompt, options: options).run()[0]
    let randomness = SequenceRandomness(seed: options.seed, sequence: 0, device: .cpu)
    let rule = BatchTemperatureRule(temperature: try Temperature(options.temperature))
    var ids = prompt
    var unshared = 0
    for _ in 0..<8 {
      let pool = model.chunks(after: ids, count: 3, generator: randomness.noise)
      if Set(pool).count == 3 { unshared += 1 }
      ids += rule.select(from: pool, using: &randomness.selection)
    }
    #expect(generated.tokens == Array(ids[6...]))
    #expect(unshared > 0)
  }
}
