import CALMCorpus
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
  /// - Throws: ``GenerationError/notFinite``; with the exact sampler alone
  ///   ``TemperatureError/drawLimitReached(draws:rounds:agreements:temperature:)`` and
  ///   ``GenerationError/beginningTooRare(tokens:matches:draws:)``.
  func callAsFunction(_ hidden: Tensor, beginning: [Int32], randomness: [SequenceRandomness]) throws -> [Choice] {
    if options.sampler == .exact && temperature != .one {
      return try randomness.indices.map {
        try exactChunk(row($0, of: hidden), beginning: beginning, randomness: randomness[$0])
      }
    }
    if !beginning.isEmpty {
      return try randomness.indices.map {
        try conditionedChunk(row($0, of: hidden), beginning: beginning, randomness: randomness[$0])
      }
    }
    var choices: [Choice] = []
    let sequences = max(1, drawsAtOnce / poolSize)
    for start in stride(from: 0, to: randomness.count, by: sequences) {
      let group = start..<min(start + sequences, randomness.count)
      let randomness = Array(randomness[group])
      choices += try pooledChunks(hidden.narrowed(0, group), randomness: randomness)
    }
    return choices
  }

  /// The draws among which the choice for one chunk is made.
  var poolSize: Int { temperature == .one ? 1 : options.poolSize }

  /// Draws chunks for several sequences: chunk `i · sequences + s` is the i-th of sequence s.
  ///
  /// - Throws: ``GenerationError/notFinite``.
  func draw(
    _ count: Int, _ hidden: Tensor, randomness: [SequenceRandomness]
  ) throws(GenerationError) -> SampledChunks {
    let noise = randomness.map { model.head.noise(samples: count, positions: 1, generator: $0.noise) }
    let latents = model.head(hidden, noise: Tensor.concatenated(noise, along: 1))
    return try SampledChunks(
      latents: latents.reshaped(-1, model.configuration.latentSize), decoder: model.tokenDecoder)
  }

  private func row(_ index: Int, of hidden: Tensor) -> Tensor { hidden.narrowed(0, index..<index + 1) }
}
