import CALMCorpus
import Foundation
import Torch

extension ChunkSampler {
  /// The next chunk of each sequence by the batch rule; nil where the model computed a number that is not finite.
  /// Candidates are sampled only as the choice needs them.
  ///
  /// Given beginnings are part of the chunks: all candidates of a sequence agree in them, at no cost.
  ///
  /// - Parameters:
  ///   - hidden: [sequences, h].
  ///   - beginnings: tokens with which the chunk of each sequence begins: none, unless the head samples token by token.
  func pooledChunks(_ hidden: Tensor, beginnings: [[Int32]], randomness: [SequenceRandomness]) -> [Choice?] {
    let pools = CandidatePools(sampler: self, hidden: hidden, beginnings: beginnings, randomness: randomness)
    var chosen = equalSubsets(in: pools)
    var undecided = randomness.indices.filter { chosen[$0] == nil }
    if !undecided.isEmpty {
      pools.draw(undecided, to: candidateCount)
      pools.sample(undecided, to: candidateCount)
      undecided = undecided.filter { !pools.failed.contains($0) }
    }
    if !undecided.isEmpty {
      for sequence in undecided { randomness[sequence].samples += candidateCount }
      let choices = choose(
        from: undecided.map { pools.chunks[$0] }, of: pools.sampled, after: 0,
        randomness: undecided.map { randomness[$0] })
      for (sequence, choice) in zip(undecided, choices) { chosen[sequence] = choice }
    }
    return randomness.indices.map { sequence in
      chosen[sequence].flatMap {
        try? Choice(tokens: $0.tokens, latent: pools.sampled.latent(of: $0.chunk), isForced: false)
      }
    }
  }

  /// The numbers of candidate sets to try before sampling all candidates: first as many sets as can be sampled for
  /// little more than the cost of one candidate, then three and nine times as many. Stages whose sets have more members
  /// than there are candidates are omitted. Empty if sets do not determine the choice.
  private var earlySets: [Int] {
    guard SubsetTrials<Int32>.isSupported(at: temperature) else { return [] }
    let cheapSamples = model.backbone.embedding.weight.dtype == .bfloat16 ? 32 : 16
    let few = max(4, cheapSamples / temperature.wholeExponent)
    return [few, 3 * few, 9 * few].filter { $0 * temperature.wholeExponent <= candidateCount }
  }

  /// The choices that the first candidates determine, by sequence: see ``SubsetTrials``. Sequences for which most
  /// recent attempts failed are skipped.
  ///
  /// The sets of a stage are opened a few at a time where several sequences share the cost of a pass of the head, and
  /// where they are enough for an efficient pass. A head that samples token by token computes equal
  /// beginnings once, so there few passes are better.
  private func equalSubsets(in pools: CandidatePools) -> [Int: (tokens: [Int32], chunk: Int)] {
    let stages = earlySets
    var undecided = pools.chunks.indices.filter { pools.randomness[$0].settledEarly > 0.2 }
    if stages.isEmpty || undecided.isEmpty { return [:] }
    var chosen: [Int: (tokens: [Int32], chunk: Int)] = [:]
    var trials = pools.chunks.map { _ in
      SubsetTrials<Int32>(
        candidateCount: candidateCount, length: model.configuration.chunkSize, temperature: temperature)
    }
    var opened = 0
    for sets in stages where !undecided.isEmpty {
      let stage = sets - opened
      for sequence in undecided {
        trials[sequence].add(stage, using: &pools.randomness[sequence].selection)
      }
      pools.draw(undecided, to: sets * temperature.wholeExponent)
      while opened < sets && !undecided.isEmpty {
        let atOnce = model.head.samplesTokenByToken ? stage : max(1, stage / undecided.count)
        let next = min(sets - opened, atOnce, 2 * stages[0])
        opened += next
        pools.sample(undecided, to: undecided.map { trials[$0].sampleCount(opening: next) }.max()!)
        undecided.removeAll { pools.failed.contains($0) }
        if undecided.isEmpty { break }
        for sequence in undecided { trials[sequence].open(next) }
        answer(&trials, from: pools.chunks, of: pools.sampled, after: 0)
        for sequence in undecided {
          guard let sample = trials[sequence].agreed else { continue }
          chosen[sequence] = (trials[sequence].tokens(of: sample), pools.chunks[sequence][sample])
          pools.randomness[sequence].samples += trials[sequence].neededSamples
          pools.randomness[sequence].learn(settledEarly: 1)
        }
        undecided.removeAll { chosen[$0] != nil }
      }
      opened = sets
    }
    return chosen
  }

  /// Chooses one candidate of each sequence by the batch rule.
  ///
  /// - Parameters:
  ///   - pools: the candidates of each sequence, as indices of the sampled chunks.
  ///   - known: the number of tokens with which all candidates begin; the choice compares the tokens after them.
  /// - Returns: the tokens after the known ones, and the index of a sampled chunk with these tokens.
  func choose(
    from pools: [[Int]], of sampled: SampledChunks, after known: Int, randomness: [SequenceRandomness]
  ) -> [(tokens: [Int32], chunk: Int)] {
    let rule = BatchTemperatureRule(temperature: temperature)
    if temperature.wholeExponent == 1 {
      // Every candidate counts, so all are decoded.
      var tokens = sampled.tokens(of: pools.flatMap { $0 }, from: known)[...]
      return zip(pools, randomness).map { pool, randomness in
        let own = tokens.prefix(pool.count)
        defer { tokens.removeFirst(pool.count) }
        let chosen = rule.select(from: own, using: &randomness.selection)
        return (chosen, zip(pool, own).first { $0.1 == chosen }?.0 ?? pool[0])
      }
    }
    let length = model.configuration.chunkSize - known
    var shared = pools.map { PrefixPool<Int32>(sampleCount: $0.count, length: length, rule: rule) }
    answer(&shared, from: pools, of: sampled, after: known)
    return shared.indices.map { index in
      let sample = shared[index].select(using: &randomness[index].selection)
      if let sets = earlySets.first {
        randomness[index].learn(settledEarly: 1 - pow(1 - shared[index].agreement, Double(sets)))
      }
      let (tokens, chunk) = (shared[index].tokens(of: sample), pools[index][sample])
      // If no two candidates are equal, the chosen one is decoded in part.
      return (
        tokens.count == length ? tokens : tokens + sampled.tokens(of: [chunk], from: known + tokens.count)[0], chunk
      )
    }
  }

  /// Decodes the pending tokens of choices until none are pending.
  ///
  /// - Parameters:
  ///   - pools: the samples of each choice, as indices of the sampled chunks.
  ///   - known: the number of tokens before those that the choices compare.
  private func answer(
    _ choices: inout [some TokenwiseChoice<Int32>], from pools: [[Int]], of sampled: SampledChunks, after known: Int
  ) {
    while true {
      let pending = choices.map { $0.pending }
      let places = zip(pools, pending).flatMap { pool, pending in
        (pending?.samples ?? []).map { (chunk: pool[$0], position: known + (pending?.position ?? 0)) }
      }
      if places.isEmpty { return }
      var tokens = sampled.tokens(at: places)[...]
      for (index, pending) in pending.enumerated() {
        guard let count = pending?.samples.count else { continue }
        choices[index].record(Array(tokens.prefix(count)))
        tokens.removeFirst(count)
      }
    }
  }
}
