import CALMCorpus
import Torch

/// A chunk of one sequence by the exact sampler, given its first tokens. Samples are taken in batches of increasing
/// size.
///
/// Samples that begin differently are discarded. If none of the maximum number of samples begins so, the given tokens
/// replace the first tokens of further samples.
struct ExactChunkSearch: ChunkSearch {
  /// The tokens of a sampled chunk after its beginning. Chunks with equal tokens are equal.
  private struct SampledTokens: Hashable {
    let tokens: [Int32]
    let latent: Tensor?

    static func == (one: Self, other: Self) -> Bool { one.tokens == other.tokens }

    func hash(into hasher: inout Hasher) { hasher.combine(tokens) }
  }

  private let sampler: ChunkSampler
  private let source: ChunkSource
  private let beginning: [Int32]
  private let randomness: SequenceRandomness
  private var rule: ExactTemperatureSearch<SampledTokens>
  /// Whether samples that begin differently are discarded. Otherwise their first tokens are ignored.
  private var isSelective = true
  private var batch = 4
  private var samples = 0
  private var matches = 0

  /// - Parameter hidden: [1, h].
  init(sampler: ChunkSampler, hidden: Tensor, beginning: [Int32], randomness: SequenceRandomness) {
    (self.sampler, self.beginning, self.randomness) = (sampler, beginning, randomness)
    source = sampler.source(hidden, beginnings: [beginning])
    rule = Self.rule(sampler)
  }

  private static func rule(_ sampler: ChunkSampler) -> ExactTemperatureSearch<SampledTokens> {
    ExactTemperatureSearch(temperature: sampler.temperature, maximumSamples: sampler.options.maximumSamples)
  }

  /// - Throws: ``TemperatureError/maximumSamplesReached(samples:rounds:agreements:temperature:)``,
  ///   ``GenerationError/beginningTooRare(tokens:matches:samples:)``, ``GenerationError/notFinite``.
  mutating func advance() throws -> ChunkSampler.Choice? {
    try rule.checkLimit()
    let left = sampler.options.maximumSamples - samples
    if left == 0 {
      guard matches == 0 else {
        throw GenerationError.beginningTooRare(tokens: beginning.count, matches: matches, samples: samples)
      }
      (rule, isSelective, batch, samples) = (Self.rule(sampler), false, 4, 0)
      return nil
    }
    batch = min(2 * batch, sampler.options.candidates, left)
    let sampled = try sampler.sample(batch, from: source, randomness: randomness)
    samples += batch
    let usable = isSelective ? try sampled.chunks(beginningWith: beginning) : Array(0..<sampled.count)
    matches += usable.count
    for (tokens, chunk) in zip(sampled.tokens(of: usable, from: beginning.count), usable) {
      let outcome = SampledTokens(tokens: tokens, latent: sampled.latent(of: chunk))
      guard let rest = rule.add(outcome, using: &randomness.selection) else { continue }
      return try ChunkSampler.Choice(
        tokens: beginning + rest.tokens, latent: isSelective ? rest.latent : nil, isForced: !isSelective)
    }
    return nil
  }
}
