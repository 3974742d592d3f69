import Torch

/// The draws of several sequences, among which the chunk of each is chosen. They are made as they are needed.
final class ChunkPools {
  /// All chunks drawn so far.
  private(set) var drawn: DrawnChunks
  /// For each sequence, which of them are its own.
  private(set) var chunks: [[Int]]
  /// That of each sequence.
  let randomness: [SequenceRandomness]
  private let sampler: ChunkSampler
  private let hidden: Tensor

  /// - Parameters:
  ///   - hidden: a row for each sequence, [sequences, h].
  ///   - size: the draws of each pool at first, at least 1.
  init(sampler: ChunkSampler, hidden: Tensor, randomness: [SequenceRandomness], size: Int) {
    (self.sampler, self.hidden, self.randomness) = (sampler, hidden, randomness)
    drawn = sampler.draw(size, hidden, randomness: randomness)
    chunks = randomness.indices.map { Array(stride(from: $0, to: size * randomness.count, by: randomness.count)) }
  }

  /// Draws what is missing to a size for some sequences, whose pools must be equally large.
  func fill(_ sequences: [Int], to size: Int) {
    let missing = size - chunks[sequences[0]].count
    if missing == 0 { return }
    let rows =
      sequences.count == chunks.count
      ? hidden : hidden.gathered(0, Tensor(sequences.map(Int64.init), device: hidden.device))
    let new = sampler.draw(missing, rows, randomness: sequences.map { randomness[$0] })
    for (place, sequence) in sequences.enumerated() {
      chunks[sequence] += stride(from: drawn.count + place, to: drawn.count + new.count, by: sequences.count)
    }
    drawn = DrawnChunks(joining: [drawn, new])
  }
}
