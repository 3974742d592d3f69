import Torch

/// A chunk of one sequence given its first tokens. Samples that begin differently are discarded, which leaves exactly
/// the conditional distribution, and the batch rule chooses among the others. A head that samples token by token makes
/// no such samples and needs no search.
///
/// At the maximum number of samples, the rule chooses among the matching samples found so far. If there are none, the
/// given tokens replace the first tokens of the latest samples.
struct ConditionedChunkSearch: ChunkSearch {
  private let sampler: ChunkSampler
  private let source: ChunkSource
  private let beginning: [Int32]
  private let randomness: SequenceRandomness
  private var matching: [SampledChunks] = []
  private var matches = 0
  private var samples = 0

  /// - Parameter hidden: [1, h].
  init(sampler: ChunkSampler, hidden: Tensor, beginning: [Int32], randomness: SequenceRandomness) {
    (self.sampler, self.beginning, self.randomness) = (sampler, beginning, randomness)
    source = sampler.source(hidden, beginnings: [beginning])
  }

  /// - Throws: ``GenerationError/notFinite``.
  mutating func advance() throws -> ChunkSampler.Choice? {
    let options = sampler.options
    let count = min(options.candidates, options.maximumSamples - samples)
    let latest = try sampler.sample(count, from: source, randomness: randomness)
    samples += count
    let found = try latest.chunks(beginningWith: beginning)
    matches += found.count
    if !found.isEmpty { matching.append(latest.selecting(found)) }
    if matches < sampler.candidateCount && samples < options.maximumSamples { return nil }

    let isForced = matching.isEmpty
    let candidates = isForced ? latest : SampledChunks(joining: matching)
    let pool = Array(0..<min(sampler.candidateCount, candidates.count))
    let rest = sampler.choose(from: [pool], of: candidates, after: beginning.count, randomness: [randomness])[0]
    return try ChunkSampler.Choice(
      tokens: beginning + rest.tokens, latent: isForced ? nil : candidates.latent(of: rest.chunk), isForced: isForced)
  }
}
