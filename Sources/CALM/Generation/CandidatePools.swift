import Torch

/// The candidates for the next chunk of several sequences, sampled on demand.
final class CandidatePools {
  /// The candidates of each sequence, as indices of ``sampled``.
  private(set) var chunks: [[Int]]
  /// The random numbers of each sequence.
  let randomness: [SequenceRandomness]
  private var storage: SampledChunks?
  private let sampler: ChunkSampler
  private let hidden: Tensor

  /// Creates empty pools.
  ///
  /// - Parameter hidden: [sequences, h].
  init(sampler: ChunkSampler, hidden: Tensor, randomness: [SequenceRandomness]) {
    (self.sampler, self.hidden, self.randomness) = (sampler, hidden, randomness)
    chunks = Array(repeating: [], count: randomness.count)
  }

  /// All chunks sampled so far.
  var sampled: SampledChunks {
    guard let storage else { preconditionFailure("no chunk was sampled yet") }
    return storage
  }

  /// Samples chunks until each of some sequences has `size` candidates.
  ///
  /// - Throws: ``GenerationError/notFinite``.
  func fill(_ sequences: [Int], to size: Int) throws(GenerationError) {
    // Sequences that lack the same number of candidates are one batch.
    for (count, sequences) in Dictionary(grouping: sequences, by: { chunks[$0].count }).sorted(by: { $0.key < $1.key })
    where count < size {
      let rows =
        sequences.count == chunks.count
        ? hidden : hidden.gathered(0, Tensor(sequences.map(Int64.init), device: hidden.device))
      let new = try sampler.sample(size - count, rows, randomness: sequences.map { randomness[$0] })
      let first = storage?.count ?? 0
      for (place, sequence) in sequences.enumerated() {
        chunks[sequence] += stride(from: first + place, to: first + new.count, by: sequences.count)
      }
      storage = storage.map { SampledChunks(joining: [$0, new]) } ?? new
    }
  }
}
