import Torch

extension ChunkSampler {
  /// A chunk of one sequence given its first tokens: draws that begin otherwise are thrown away, which leaves exactly
  /// the conditional distribution, and the batch rule chooses among as many others as a pool holds.
  ///
  /// Where the limit on draws comes first, it chooses among those found. Where there are none, the tokens are put over
  /// the beginning of what was drawn last.
  ///
  /// - Parameter hidden: [1, h].
  /// - Throws: ``GenerationError/notFinite``.
  func conditionedChunk(
    _ hidden: Tensor, beginning: [Int32], randomness: SequenceRandomness
  ) throws(GenerationError) -> Choice {
    var matching: [SampledChunks] = []
    var (draws, matches) = (0, 0)
    var last: SampledChunks
    repeat {
      let count = min(options.poolSize, options.drawLimit - draws)
      last = try draw(count, hidden, randomness: [randomness])
      draws += count
      let found = last.chunks(beginningWith: beginning)
      matches += found.count
      if !found.isEmpty { matching.append(last.selecting(found)) }
    } while matches < poolSize && draws < options.drawLimit

    let isForced = matching.isEmpty
    let candidates = isForced ? last : SampledChunks(joining: matching)
    let pool = Array(0..<min(poolSize, candidates.count))
    let rest = choose(from: [pool], of: candidates, after: beginning.count, randomness: [randomness])[0]
    return Choice(tokens: beginning + rest.tokens, latent: isForced ? nil : candidates.latent(of: rest.chunk))
  }
}
