import CALM
import CALMCorpus
import Testing
import Torch

@Suite("Generation with kept keys and values")
struct CachedGenerationTests {
  private let model = TinyGenerator.model(special: SpecialTokens(padding: 0))
  private let prompt = TinyGenerator.prompt(8)

  @Test("hidden states are those of the whole sequence computed anew")
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

  @Test("tokens are those of full decoding and recomputation with the same noise", arguments: [1, 0.75, 0.5, 1 / 3.0])
  func tokens(temperature: Double) throws {
    let options = try TinyGenerator.options(temperature: temperature) {
      $0.maximumTokens = 40
      $0.poolSize = 29
    }
    let generated = try ChunkGenerator(model, prompt: prompt, options: options).run()[0]

    let randomness = SequenceRandomness(seed: options.seed, sequence: 0, device: .cpu)
    let rule = BatchTemperatureRule(temperature: try Temperature(options.temperature))
    var ids = prompt
    for _ in 0..<10 {
      let pool = model.chunks(after: ids, count: temperature == 1 ? 1 : 29, generator: randomness.noise)
      ids += rule.select(from: pool, using: &randomness.selection)
    }
    #expect(generated.tokens == Array(ids[prompt.count...]))
  }

  @Test("what the first draws of a pool settle is what full decoding of them settles", arguments: [0.5, 1 / 3.0])
  func firstDraws(value: Double) throws {
    // A model that is rather certain, so that looking at the first draws stays worth it.
    let model = TinyGenerator.model(special: SpecialTokens(padding: 0), latentDeviation: 0.05)
    withoutGradients {
      for parameter in model.namedParameters() where parameter.name == "mlp_generator.final_layer.linears.2.bias" {
        parameter.tensor.fill(1)
      }
    }
    let options = try TinyGenerator.options(temperature: value) { $0.maximumTokens = 48 }
    let generated = try ChunkGenerator(model, prompt: prompt, options: options).run()[0]

    let temperature = try Temperature(value)
    let randomness = SequenceRandomness(seed: options.seed, sequence: 0, device: .cpu)
    let few = 16 / temperature.wholeExponent
    var ids = prompt
    var early = 0
    for _ in 0..<12 {
      var trials = SubsetTrials<Int32>(poolSize: 200, length: 4, temperature: temperature)
      var draws: [[Int32]] = []
      func draw(to size: Int) {
        draws += model.chunks(after: ids, count: size - draws.count, generator: randomness.noise)
      }
      for sets in [few, 2 * few] where trials.agreed == nil {
        trials.add(sets, using: &randomness.selection)
        draw(to: (draws.isEmpty ? 1 : 3) * few * temperature.wholeExponent)
        while let pending = trials.pending { trials.record(pending.samples.map { draws[$0][pending.position] }) }
      }
      if let settled = trials.agreed {
        ids += draws[settled]
        early += 1
      } else {
        draw(to: 200)
        ids += BatchTemperatureRule(temperature: temperature).select(from: draws, using: &randomness.selection)
      }
    }
    #expect(generated.tokens == Array(ids[prompt.count...]))
    #expect(early >= 2)
  }

  @Test("a model that reads latents is fed those that were predicted", arguments: [ModelInput.latents, .both])
  func predictedLatents(input: ModelInput) throws {
    let model = TinyGenerator.model(special: SpecialTokens(padding: 0), input: input)
    let options = try TinyGenerator.options { $0.maximumTokens = 24 }
    let generated = try ChunkGenerator(model, prompt: prompt, options: options).run()[0]

    let randomness = SequenceRandomness(seed: options.seed, sequence: 0, device: .cpu)
    var ids = prompt.map(Int64.init)
    withoutGradients {
      var latents = model.autoencoder.encode(Tensor(ids, shape: [1, ids.count])).mean.reshaped(1, ids.count / 4, -1)
      for _ in 0..<6 {
        let hidden = model.hiddenStates(Tensor(ids, shape: [1, ids.count]), latents: latents)
        let next = model.sampleLatents(
          hidden.selected(1, hidden.shape[1] - 1), count: 1, generator: randomness.noise)
        ids += model.autoencoder.decode(next.selected(0, 0)).elements(as: Int32.self).map(Int64.init)
        latents = Tensor.concatenated([latents, next], along: 1)
      }
      #expect(generated.tokens == ids[prompt.count...].map { Int32($0) })
      // What the encoder makes of the tokens is another vector.
      let again = model.autoencoder.encode(Tensor(ids, shape: [1, ids.count])).mean.reshaped(1, ids.count / 4, -1)
      #expect(largestDifference(again, latents) > 1e-2)
    }
  }

  @Test("pools in which nothing is shared are decoded to the same choice")
  func nothingShared() throws {
    // 4,000 words and long chunks: most pools of three hold three different chunks.
    let model = TinyGenerator.model(
      vocabulary: 4_000, chunkSize: 6, special: SpecialTokens(padding: 0), latentDeviation: 3)
    let prompt = TinyGenerator.prompt(6, vocabulary: 4_000)
    let options = try TinyGenerator.options(temperature: 0.5) {
      $0.maximumTokens = 48
      $0.poolSize = 3
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
