import Torch

/// The draws of several sequences, among which the chunk of each is chosen. They are made as they are needed.
final class CandidatePools {
  /// For each sequence, which of the chunks drawn are its own.
  private(set) var chunks: [[Int]]
  /// That of each sequence.
  let randomness: [SequenceRandomness]
  private var draws: SampledChunks?
  private let sampler: ChunkSampler
  private let hidden: Tensor

  /// Empty pools.
  ///
  /// - Parameter hidden: a row for each sequence, [sequences, h].
  init(sampler: ChunkSampler, hidden: Tensor, randomness: [SequenceRandomness]) {
    (self.sampler, self.hidden, self.randomness) = (sampler, hidden, randomness)
    chunks = Array(repeating: [], count: randomness.count)
  }

  /// All chunks drawn so far.
  var drawn: SampledChunks {
    guard let draws else { preconditionFailure("nothing was drawn yet") }
    return draws
  }

  /// Draws what is missing to a size for some sequences.
  ///
  /// - Throws: ``GenerationError/notFinite``.
  func fill(_ sequences: [Int], to size: Int) throws(GenerationError) {
    // Those that lack as many draws are served together.
    for (count, sequences) in Dictionary(grouping: sequences, by: { chunks[$0].count }).sorted(by: { $0.key < $1.key })
    where count < size {
      let rows =
        sequences.count == chunks.count
        ? hidden : hidden.gathered(0, Tensor(sequences.map(Int64.init), device: hidden.device))
      let new = try sampler.draw(size - count, rows, randomness: sequences.map { randomness[$0] })
      let first = draws?.count ?? 0
      for (place, sequence) in sequences.enumerated() {
        chunks[sequence] += stride(from: first + place, to: first + new.count, by: sequences.count)
      }
      draws = draws.map { SampledChunks(joining: [$0, new]) } ?? new
    }
  }
}
