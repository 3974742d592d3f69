import TextCorpus
import Torch

/// Draws the next chunk of each sequence from the head, at a temperature.
struct ChunkSampler {
  let model: ContinuousLanguageModel
  let options: GenerationOptions

  /// A chunk drawn for a sequence.
  struct Choice {
    let tokens: [Int32]
    /// Whether the beginning was put over what was drawn.
    var isForced = false
  }

  /// Chunks drawn in one pass of the head: what keeps its activations and noise within a few tens of megabytes.
  private var drawsAtOnce: Int { min(4_096, ContinuousLanguageModel.noiseAtOnce / model.head.noiseCount) }

  /// The next chunk of each sequence.
  ///
  /// - Parameters:
  ///   - hidden: a row for each sequence, [sequences, h].
  ///   - beginning: fewer than K tokens with which every chunk must begin.
  ///   - randomness: that of each sequence.
  /// - Throws: ``TemperatureError/drawLimitReached(draws:rounds:agreements:temperature:)`` and
  ///   ``GenerationError/beginningTooRare(tokens:matches:draws:)``, with the exact sampler alone.
  func callAsFunction(_ hidden: Tensor, beginning: [Int32], randomness: [SequenceRandomness]) throws -> [Choice] {
    if options.sampler == .exact && options.temperature != .one {
      return try randomness.indices.map {
        try exactChunk(row($0, of: hidden), beginning: beginning, randomness: randomness[$0])
      }
    }
    if !beginning.isEmpty {
      return randomness.indices.map {
        conditionedChunk(row($0, of: hidden), beginning: beginning, randomness: randomness[$0])
      }
    }
    var choices: [Choice] = []
    let sequences = max(1, drawsAtOnce / poolSize)
    for start in stride(from: 0, to: randomness.count, by: sequences) {
      let group = start..<min(start + sequences, randomness.count)
      let randomness = Array(randomness[group])
      let drawn = draw(poolSize, hidden.narrowed(0, group), randomness: randomness)
      let pools = group.indices.map { Array(stride(from: $0 - start, to: drawn.count, by: group.count)) }
      choices += choose(from: pools, of: drawn, after: 0, randomness: randomness).map { Choice(tokens: $0) }
    }
    return choices
  }

  /// The draws among which the choice for one chunk is made.
  var poolSize: Int { options.temperature == .one ? 1 : options.poolSize }

  /// Draws chunks for several sequences: chunk `i · sequences + s` is the i-th of sequence s.
  func draw(_ count: Int, _ hidden: Tensor, randomness: [SequenceRandomness]) -> DrawnChunks {
    let noise = randomness.map { model.head.noise(samples: count, positions: 1, generator: $0.noise) }
    let latents = model.head(hidden, noise: Tensor.concatenated(noise, along: 1))
    return DrawnChunks(
      latents: latents.reshaped(-1, model.configuration.latentSize), autoencoder: model.autoencoder)
  }

  /// Chooses one chunk of each pool by the batch rule.
  ///
  /// - Parameters:
  ///   - pools: for each sequence, which of the chunks drawn are its own.
  ///   - known: the tokens that all of them begin with; the choice is by those after.
  /// - Returns: the tokens after the known ones.
  func choose(
    from pools: [[Int]], of drawn: DrawnChunks, after known: Int, randomness: [SequenceRandomness]
  ) -> [[Int32]] {
    let rule = BatchTemperatureRule(temperature: options.temperature)
    if rule.temperature.wholeExponent == 1 {
      // Every draw counts, so there is nothing to save.
      var tokens = drawn.tokens(of: pools.flatMap { $0 }, from: known)[...]
      return pools.indices.map { pool in
        defer { tokens.removeFirst(pools[pool].count) }
        return rule.select(from: tokens.prefix(pools[pool].count), using: &randomness[pool].selection)
      }
    }
    let length = model.configuration.chunkSize - known
    var shared = pools.map { PrefixPool<Int32>(sampleCount: $0.count, length: length, rule: rule) }
    while true {
      let pending = shared.map(\.pending)
      let places = zip(pools, pending).flatMap { pool, pending in
        (pending?.samples ?? []).map { (chunk: pool[$0], position: known + (pending?.position ?? 0)) }
      }
      if places.isEmpty { break }
      var tokens = drawn.tokens(at: places)[...]
      for (index, pending) in pending.enumerated() {
        guard let count = pending?.samples.count else { continue }
        shared[index].record(Array(tokens.prefix(count)))
        tokens.removeFirst(count)
      }
    }
    return shared.indices.map { index in
      let sample = shared[index].select(using: &randomness[index].selection)
      let tokens = shared[index].tokens(of: sample)
      // Where no two draws are equal, the one chosen is not decoded to its end.
      if tokens.count == length { return tokens }
      return tokens + drawn.tokens(of: [pools[index][sample]], from: known + tokens.count)[0]
    }
  }

  private func row(_ index: Int, of hidden: Tensor) -> Tensor { hidden.narrowed(0, index..<index + 1) }
}
