import CALMCorpus
import Torch

extension ChunkSampler {
  /// A chunk of one sequence by the exact sampler, given its first tokens.
  ///
  /// - Parameter hidden: [1, h].
  /// - Throws: ``TemperatureError/maximumSamplesReached(samples:rounds:agreements:temperature:)``,
  ///   ``GenerationError/beginningTooRare(tokens:matches:samples:)``.
  func exactChunk(_ hidden: Tensor, beginning: [Int32], randomness: SequenceRandomness) throws -> Choice {
    let sampler = ExactTemperatureSampler(temperature: temperature, maximumSamples: options.maximumSamples)
    func sample(matching: Bool) throws -> Choice {
      var source = ChunkSource(
        sampler: self, hidden: hidden, beginning: beginning, isSelective: matching, randomness: randomness)
      let rest = try sampler.sample(using: &randomness.selection) { _ in try source.next() }
      return Choice(tokens: beginning + rest.tokens, latent: matching ? rest.latent : nil, isForced: !matching)
    }
    do {
      return try sample(matching: true)
    } catch GenerationError.beginningTooRare(_, matches: 0, _) {
      return try sample(matching: false)
    }
  }
}

/// The tokens of a sampled chunk after its beginning. Chunks with equal tokens are equal.
private struct SampledTokens: Hashable {
  let tokens: [Int32]
  let latent: Tensor?

  static func == (one: Self, other: Self) -> Bool { one.tokens == other.tokens }

  func hash(into hasher: inout Hasher) { hasher.combine(tokens) }
}

/// Returns samples for one sequence one by one, in batches of increasing size.
private struct ChunkSource {
  let sampler: ChunkSampler
  let hidden: Tensor
  let beginning: [Int32]
  /// Whether chunks that begin differently are discarded. Otherwise the first tokens are ignored.
  let isSelective: Bool
  let randomness: SequenceRandomness
  private var ready: ArraySlice<SampledTokens> = []
  private var batch = 4
  private var samples = 0
  private var matches = 0

  init(
    sampler: ChunkSampler, hidden: Tensor, beginning: [Int32], isSelective: Bool, randomness: SequenceRandomness
  ) {
    (self.sampler, self.hidden, self.beginning) = (sampler, hidden, beginning)
    (self.isSelective, self.randomness) = (isSelective, randomness)
  }

  /// The tokens of the next chunk after the beginning.
  mutating func next() throws -> SampledTokens {
    while ready.isEmpty {
      batch = min(2 * batch, sampler.options.candidates, sampler.options.maximumSamples - samples)
      guard batch > 0 else {
        throw GenerationError.beginningTooRare(tokens: beginning.count, matches: matches, samples: samples)
      }
      let sampled = try sampler.sample(batch, hidden, randomness: [randomness])
      samples += batch
      let usable = isSelective ? sampled.chunks(beginningWith: beginning) : Array(0..<sampled.count)
      matches += usable.count
      ready =
        zip(sampled.tokens(of: usable, from: beginning.count), usable)
        .map { SampledTokens(tokens: $0, latent: sampled.latent(of: $1)) }[...]
    }
    return ready.removeFirst()
  }
}
