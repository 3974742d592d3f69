import Torch

extension ChunkSampler {
  /// A chunk of one sequence given its first tokens. Samples that begin differently are discarded, which leaves exactly
  /// the conditional distribution, and the batch rule chooses among the others.
  ///
  /// At the maximum number of samples, the rule chooses among the matching samples found so far. If there are none, the
  /// given tokens replace the first tokens of the latest samples.
  ///
  /// - Parameter hidden: [1, h].
  /// - Throws: ``GenerationError/notFinite``.
  func conditionedChunk(
    _ hidden: Tensor, beginning: [Int32], randomness: SequenceRandomness
  ) throws(GenerationError) -> Choice {
    var matching: [SampledChunks] = []
    var (samples, matches) = (0, 0)
    var last: SampledChunks
    repeat {
      let count = min(options.candidates, options.maximumSamples - samples)
      last = try sample(count, hidden, randomness: [randomness])
      samples += count
      let found = last.chunks(beginningWith: beginning)
      matches += found.count
      if !found.isEmpty { matching.append(last.selecting(found)) }
    } while matches < candidateCount && samples < options.maximumSamples

    let isForced = matching.isEmpty
    let candidates = isForced ? last : SampledChunks(joining: matching)
    let pool = Array(0..<min(candidateCount, candidates.count))
    let rest = choose(from: [pool], of: candidates, after: beginning.count, randomness: [randomness])[0]
    return Choice(
      tokens: beginning + rest.tokens, latent: isForced ? nil : candidates.latent(of: rest.chunk), isForced: isForced)
  }
}
