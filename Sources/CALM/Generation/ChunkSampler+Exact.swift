import CALMCorpus
import Torch

extension ChunkSampler {
  /// A chunk of one sequence by the exact sampler, given its first tokens.
  ///
  /// - Parameter hidden: [1, h].
  /// - Throws: ``TemperatureError/drawLimitReached(draws:rounds:agreements:temperature:)``,
  ///   ``GenerationError/beginningTooRare(tokens:matches:draws:)``.
  func exactChunk(_ hidden: Tensor, beginning: [Int32], randomness: SequenceRandomness) throws -> Choice {
    let sampler = ExactTemperatureSampler(temperature: temperature, drawLimit: options.drawLimit)
    func sample(matching: Bool) throws -> Choice {
      var source = ChunkSource(
        sampler: self, hidden: hidden, beginning: beginning, isSelective: matching, randomness: randomness)
      let rest = try sampler.sample(using: &randomness.selection) { _ in try source.next() }
      return Choice(tokens: beginning + rest.tokens, latent: matching ? rest.latent : nil)
    }
    do {
      return try sample(matching: true)
    } catch GenerationError.beginningTooRare(_, matches: 0, _) {
      return try sample(matching: false)
    }
  }
}

/// The tokens of a drawn chunk after its beginning. Draws are equal where their tokens are.
private struct DrawnTokens: Hashable {
  let tokens: [Int32]
  let latent: Tensor

  static func == (one: Self, other: Self) -> Bool { one.tokens == other.tokens }

  func hash(into hasher: inout Hasher) { hasher.combine(tokens) }
}

/// Gives out chunks of one sequence one by one, drawing ever more at once.
private struct ChunkSource {
  let sampler: ChunkSampler
  let hidden: Tensor
  let beginning: [Int32]
  /// Whether chunks that begin otherwise are left out; else only the tokens after the beginning count.
  let isSelective: Bool
  let randomness: SequenceRandomness
  private var ready: ArraySlice<DrawnTokens> = []
  private var batch = 4
  private var draws = 0
  private var matches = 0

  init(
    sampler: ChunkSampler, hidden: Tensor, beginning: [Int32], isSelective: Bool, randomness: SequenceRandomness
  ) {
    (self.sampler, self.hidden, self.beginning) = (sampler, hidden, beginning)
    (self.isSelective, self.randomness) = (isSelective, randomness)
  }

  /// The tokens of the next chunk after the beginning.
  mutating func next() throws -> DrawnTokens {
    while ready.isEmpty {
      batch = min(2 * batch, sampler.options.poolSize, sampler.options.drawLimit - draws)
      guard batch > 0 else {
        throw GenerationError.beginningTooRare(tokens: beginning.count, matches: matches, draws: draws)
      }
      let drawn = try sampler.draw(batch, hidden, randomness: [randomness])
      draws += batch
      let usable = isSelective ? drawn.chunks(beginningWith: beginning) : Array(0..<drawn.count)
      matches += usable.count
      ready =
        zip(drawn.tokens(of: usable, from: beginning.count), usable)
        .map { DrawnTokens(tokens: $0, latent: drawn.latent(of: $1)) }[...]
    }
    return ready.removeFirst()
  }
}
