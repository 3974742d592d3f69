import CALMCorpus
import Torch

/// Samples the next chunk of each sequence from the head, at a temperature.
struct ChunkSampler {
  let model: ContinuousLanguageModel
  let options: GenerationOptions
  let sampler: GenerationOptions.Sampler
  /// The temperature of chunks; 1 if their tokens are sampled at a temperature.
  let temperature: Temperature

  /// - Throws: the errors of ``GenerationOptions/chosenSampler(among:)``.
  init(model: ContinuousLanguageModel, options: GenerationOptions) throws {
    (self.model, self.options) = (model, options)
    sampler = try options.chosenSampler(among: model.configuration.samplers)
    temperature = sampler == .logits ? .one : try Temperature(options.temperature)
  }

  /// The next chunk of a sequence.
  struct Choice {
    let tokens: [Int32]
    /// The latent that decodes to the tokens, [1, l]; nil if given tokens replaced the first ones, or if the head
    /// samples tokens.
    let latent: Tensor?
    /// Whether given tokens replaced the first tokens of the sample.
    let isForced: Bool

    /// - Throws: ``GenerationError/notFinite`` if the model did not compute a token.
    init(tokens: [Int32], latent: Tensor?, isForced: Bool) throws(GenerationError) {
      if tokens.contains(SampledChunks.notFinite) { throw .notFinite }
      (self.tokens, self.latent, self.isForced) = (tokens, latent, isForced)
    }
  }

  /// The number of chunks sampled in one pass of the head, chosen such that its activations and noise take at most a
  /// few tens of megabytes.
  private var samplesAtOnce: Int { min(4_096, ContinuousLanguageModel.noiseAtOnce / model.head.noiseCount) }

  /// The number of sequences whose logits take at most 64 MB: a one-step head keeps those of its prior.
  private var sequencesAtOnce: Int { (1 << 24) / (model.configuration.chunkSize * model.configuration.vocabularySize) }

  /// The next chunk of each sequence.
  ///
  /// - Parameters:
  ///   - hidden: [sequences, h].
  ///   - beginning: fewer than K tokens, with which every chunk must begin.
  ///   - randomness: the random numbers of each sequence.
  /// - Throws: ``GenerationError/notFinite``; with the exact sampler,
  ///   ``TemperatureError/maximumSamplesReached(samples:rounds:agreements:temperature:)`` and
  ///   ``GenerationError/beginningTooRare(tokens:matches:samples:)``.
  func callAsFunction(_ hidden: Tensor, beginning: [Int32], randomness: [SequenceRandomness]) throws -> [Choice] {
    let searches = randomness.indices.compactMap {
      search(row($0, of: hidden), beginning: beginning, randomness: randomness[$0])
    }
    if !searches.isEmpty {
      return try searches.map { search in
        var search = search
        return try search.result()
      }
    }
    let beginnings = randomness.map { _ in beginning }
    return try pooled(hidden, beginnings: beginnings, randomness: randomness).map { choice in
      guard let choice else { throw GenerationError.notFinite }
      return choice
    }
  }

  /// The next chunk of each sequence by the batch rule; nil where the model computed a number that is not finite.
  ///
  /// - Parameters:
  ///   - hidden: [sequences, h].
  ///   - beginnings: tokens with which the chunk of each sequence begins: none, unless the head samples token by token.
  func pooled(_ hidden: Tensor, beginnings: [[Int32]], randomness: [SequenceRandomness]) -> [Choice?] {
    let atOnce = max(1, min(samplesAtOnce / candidateCount, sequencesAtOnce))
    return stride(from: 0, to: randomness.count, by: atOnce).flatMap { start in
      let group = start..<min(start + atOnce, randomness.count)
      return pooledChunks(
        hidden.narrowed(0, group), beginnings: Array(beginnings[group]), randomness: Array(randomness[group]))
    }
  }

  /// The number of candidates for one chunk.
  var candidateCount: Int { temperature == .one ? 1 : options.candidates }

  /// Samples chunks for the one sequence of a source.
  ///
  /// - Throws: ``GenerationError/notFinite``.
  func sample(
    _ count: Int, from source: ChunkSource, randomness: SequenceRandomness
  ) throws(GenerationError) -> SampledChunks {
    randomness.samples += count
    return try source.chunks(of: [0], noise: noise(count, randomness))
  }

  /// The random numbers of the next samples of a sequence, [count, 1, …].
  func noise(_ count: Int, _ randomness: SequenceRandomness) -> Tensor {
    model.head.noise(samples: count, positions: 1, generator: randomness.noise)
  }

  /// Samples chunks of some positions.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - beginnings: see ``ChunkSource/init(_:hidden:beginnings:choice:)``.
  func source(_ hidden: Tensor, beginnings: [[Int32]]) -> ChunkSource {
    ChunkSource(
      model, hidden: hidden, beginnings: beginnings,
      choice: sampler == .logits ? TokenChoice(options) : .unlimited)
  }

  private func row(_ index: Int, of hidden: Tensor) -> Tensor { hidden.narrowed(0, index..<index + 1) }
}
