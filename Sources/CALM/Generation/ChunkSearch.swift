import Torch

/// The sampling of one chunk that may need many samples, in parts: a caller can do other work in between.
protocol ChunkSearch {
  /// Takes further samples, at most ``GenerationOptions/candidates``.
  ///
  /// - Returns: the chunk; nil if it needs more samples.
  /// - Throws: the errors of ``ChunkSampler``.
  mutating func advance() throws -> ChunkSampler.Choice?
}

extension ChunkSearch {
  /// The chunk.
  mutating func result() throws -> ChunkSampler.Choice {
    while true {
      if let choice = try advance() { return choice }
    }
  }
}

extension ChunkSampler {
  /// The search for the next chunk of one sequence; nil if one sample or one set of candidates determines it.
  ///
  /// - Parameters:
  ///   - hidden: [1, h].
  ///   - beginning: fewer than K tokens, with which the chunk must begin.
  func search(_ hidden: Tensor, beginning: [Int32], randomness: SequenceRandomness) -> (any ChunkSearch)? {
    if sampler == .exact && temperature != .one {
      return ExactChunkSearch(sampler: self, hidden: hidden, beginning: beginning, randomness: randomness)
    }
    if beginning.isEmpty || model.head.samplesTokenByToken { return nil }
    return ConditionedChunkSearch(sampler: self, hidden: hidden, beginning: beginning, randomness: randomness)
  }
}
