import TextCorpus
import Torch

/// Draws the next chunk of each sequence from the head, at a temperature.
struct ChunkSampler {
  let model: ContinuousLanguageModel
  let options: GenerationOptions
  let temperature: Temperature

  /// A chunk drawn for a sequence.
  struct Choice {
    let tokens: [Int32]
    /// What was decoded to them, [1, l]; nil where the beginning was put over what was drawn.
    let latent: Tensor?

    /// Whether the beginning was put over what was drawn.
    var isForced: Bool { latent == nil }
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
    if options.sampler == .exact && temperature != .one {
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
      choices += choose(from: pools, of: drawn, after: 0, randomness: randomness)
        .map { Choice(tokens: $0.tokens, latent: drawn.latent(of: $0.chunk)) }
    }
    return choices
  }

  /// The draws among which the choice for one chunk is made.
  var poolSize: Int { temperature == .one ? 1 : options.poolSize }

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
  /// - Returns: the tokens after the known ones, and which of the chunks drawn has them; of several, one.
  func choose(
    from pools: [[Int]], of drawn: DrawnChunks, after known: Int, randomness: [SequenceRandomness]
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
      let (tokens, chunk) = (shared[index].tokens(of: sample), pools[index][sample])
      // Where no two draws are equal, the one chosen is not decoded to its end.
      return (
        tokens.count == length ? tokens : tokens + drawn.tokens(of: [chunk], from: known + tokens.count)[0], chunk
      )
    }
  }

  private func row(_ index: Int, of hidden: Tensor) -> Tensor { hidden.narrowed(0, index..<index + 1) }
}
