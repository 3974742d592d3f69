import CALMCorpus
import Foundation
import Torch

extension ChunkSampler {
  /// The next chunk of each sequence by the batch rule; a pool is filled only as far as its choice needs it.
  ///
  /// - Parameter hidden: a row for each sequence, [sequences, h].
  /// - Throws: ``GenerationError/notFinite``.
  func pooledChunks(_ hidden: Tensor, randomness: [SequenceRandomness]) throws(GenerationError) -> [Choice] {
    let pools = CandidatePools(sampler: self, hidden: hidden, randomness: randomness)
    var chosen = try equalSubsets(in: pools)
    let undecided = randomness.indices.filter { chosen[$0] == nil }
    if !undecided.isEmpty {
      try pools.fill(undecided, to: poolSize)
      let choices = choose(
        from: undecided.map { pools.chunks[$0] }, of: pools.drawn, after: 0,
        randomness: undecided.map { randomness[$0] })
      for (sequence, choice) in zip(undecided, choices) { chosen[sequence] = choice }
    }
    return randomness.indices.map {
      Choice(tokens: chosen[$0]!.tokens, latent: pools.drawn.latent(of: chosen[$0]!.chunk))
    }
  }

  /// How many sets of equal draws are looked for before the pool is full: as many as the draws make that cost hardly more
  /// than one, then three times as many, unless that is most of the pool anyway. None where they do not settle the choice.
  private var earlySets: [Int] {
    guard SubsetTrials<Int32>.serve(temperature) else { return [] }
    let cheapDraws = model.backbone.embedding.weight.dtype == .bfloat16 ? 32 : 16
    let few = max(4, cheapDraws / temperature.wholeExponent)
    return [few, 3 * few].filter { 2 * $0 * temperature.wholeExponent <= poolSize }
  }

  /// What the first draws settle, by sequence: see ``SubsetTrials``. It is not tried where it mostly failed of late.
  private func equalSubsets(
    in pools: CandidatePools
  ) throws(GenerationError) -> [Int: (tokens: [Int32], chunk: Int)] {
    let stages = earlySets
    var undecided = pools.chunks.indices.filter { pools.randomness[$0].settledEarly > 0.2 }
    if stages.isEmpty || undecided.isEmpty { return [:] }
    var chosen: [Int: (tokens: [Int32], chunk: Int)] = [:]
    var trials = pools.chunks.map { _ in
      SubsetTrials<Int32>(poolSize: poolSize, length: model.configuration.chunkSize, temperature: temperature)
    }
    var tried = 0
    for sets in stages where !undecided.isEmpty {
      for sequence in undecided {
        trials[sequence].add(sets - tried, using: &pools.randomness[sequence].selection)
      }
      tried = sets
      try pools.fill(undecided, to: sets * temperature.wholeExponent)
      answer(&trials, from: pools.chunks, of: pools.drawn, after: 0)
      for sequence in undecided {
        guard let draw = trials[sequence].agreed else { continue }
        chosen[sequence] = (trials[sequence].tokens(of: draw), pools.chunks[sequence][draw])
        pools.randomness[sequence].learn(settledEarly: 1)
      }
      undecided = undecided.filter { chosen[$0] == nil }
    }
    return chosen
  }

  /// Chooses one chunk of each pool by the batch rule.
  ///
  /// - Parameters:
  ///   - pools: for each sequence, which of the chunks drawn are its own.
  ///   - known: the tokens that all of them begin with; the choice is by those after.
  /// - Returns: the tokens after the known ones, and which of the chunks drawn has them; of several, one.
  func choose(
    from pools: [[Int]], of drawn: SampledChunks, after known: Int, randomness: [SequenceRandomness]
  ) -> [(tokens: [Int32], chunk: Int)] {
    let rule = BatchTemperatureRule(temperature: temperature)
    if temperature.wholeExponent == 1 {
      // Every draw counts, so there is nothing to save.
      var tokens = drawn.tokens(of: pools.flatMap { $0 }, from: known)[...]
      return zip(pools, randomness).map { pool, randomness in
        let own = tokens.prefix(pool.count)
        defer { tokens.removeFirst(pool.count) }
        let chosen = rule.select(from: own, using: &randomness.selection)
        return (chosen, zip(pool, own).first { $0.1 == chosen }?.0 ?? pool[0])
      }
    }
    let length = model.configuration.chunkSize - known
    var shared = pools.map { PrefixPool<Int32>(sampleCount: $0.count, length: length, rule: rule) }
    answer(&shared, from: pools, of: drawn, after: known)
    return shared.indices.map { index in
      let sample = shared[index].select(using: &randomness[index].selection)
      if let sets = earlySets.first {
        randomness[index].learn(settledEarly: 1 - pow(1 - shared[index].agreement, Double(sets)))
      }
      let (tokens, chunk) = (shared[index].tokens(of: sample), pools[index][sample])
      // Where no two draws are equal, the one chosen is not decoded to its end.
      return (
        tokens.count == length ? tokens : tokens + drawn.tokens(of: [chunk], from: known + tokens.count)[0], chunk
      )
    }
  }

  /// Decodes what choices ask for, until they ask no more.
  ///
  /// - Parameters:
  ///   - pools: for each choice, which of the chunks drawn its samples are.
  ///   - known: the tokens before those that the choices are about.
  private func answer(
    _ choices: inout [some TokenwiseChoice<Int32>], from pools: [[Int]], of drawn: SampledChunks, after known: Int
  ) {
    while true {
      let pending = choices.map(\.pending)
      let places = zip(pools, pending).flatMap { pool, pending in
        (pending?.samples ?? []).map { (chunk: pool[$0], position: known + (pending?.position ?? 0)) }
      }
      if places.isEmpty { return }
      var tokens = drawn.tokens(at: places)[...]
      for (index, pending) in pending.enumerated() {
        guard let count = pending?.samples.count else { continue }
        choices[index].record(Array(tokens.prefix(count)))
        tokens.removeFirst(count)
      }
    }
  }
}
