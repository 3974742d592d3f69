import Torch

/// The candidates for the next chunk of several sequences, sampled on demand.
///
/// A candidate is drawn when its random numbers are, and sampled when the head turns them into a chunk. A sequence draws
/// the same candidates however many of them the choice needs, so its later chunks do not depend on that.
final class CandidatePools {
  /// The sampled candidates of each sequence, as indices of ``sampled``.
  private(set) var chunks: [[Int]]
  /// The sequences for which the model computed a number that is not finite. They have no further candidates.
  private(set) var failed: Set<Int> = []
  /// The random numbers of each sequence.
  let randomness: [SequenceRandomness]
  private let sampler: ChunkSampler
  private let source: ChunkSource
  private var storage: SampledChunks?
  /// The random numbers of the drawn candidates of each sequence, and how many of them are sampled.
  private var noise: [(drawn: Tensor, sampled: Int)?]

  /// Creates empty pools.
  ///
  /// - Parameters:
  ///   - hidden: [sequences, h].
  ///   - beginnings: tokens with which the chunks of each sequence begin: none, unless the head samples token by token.
  init(sampler: ChunkSampler, hidden: Tensor, beginnings: [[Int32]], randomness: [SequenceRandomness]) {
    (self.sampler, self.randomness) = (sampler, randomness)
    source = sampler.source(hidden, beginnings: beginnings)
    chunks = Array(repeating: [], count: randomness.count)
    noise = Array(repeating: nil, count: randomness.count)
  }

  /// All chunks sampled so far.
  var sampled: SampledChunks {
    guard let storage else { preconditionFailure("no chunk was sampled yet") }
    return storage
  }

  /// Draws candidates until each of some sequences has drawn `size`.
  func draw(_ sequences: [Int], to size: Int) {
    for sequence in sequences {
      let left = noise[sequence].map { $0.drawn.shape[0] - $0.sampled } ?? 0
      let count = size - chunks[sequence].count - left
      if count <= 0 { continue }
      let rest = left > 0 ? [next(left, of: sequence)] : []
      noise[sequence] = (.concatenated(rest + [sampler.noise(count, randomness[sequence])]), 0)
    }
  }

  /// Samples drawn candidates until each of some sequences has `size`.
  func sample(_ sequences: [Int], to size: Int) {
    // Sequences that lack the same number of candidates are one batch.
    let lacking = Dictionary(grouping: sequences.filter { !failed.contains($0) }) { size - chunks[$0].count }
    for (count, sequences) in lacking.sorted(by: { $0.key < $1.key }) where count > 0 {
      let noise = sequences.map { next(count, of: $0) }
      if let new = sampled(sequences, noise) {
        add(new, to: sequences)
        continue
      }
      // The error does not say which sequences it concerns.
      for (sequence, noise) in zip(sequences, noise) {
        if let new = sampled([sequence], [noise]) {
          add(new, to: [sequence])
        } else {
          failed.insert(sequence)
        }
      }
    }
  }

  /// Takes the random numbers of the next candidates of a sequence.
  private func next(_ count: Int, of sequence: Int) -> Tensor {
    guard let (drawn, sampled) = noise[sequence], sampled + count <= drawn.shape[0] else {
      preconditionFailure("a candidate was not drawn")
    }
    noise[sequence]?.sampled += count
    return drawn.narrowed(0, sampled..<sampled + count)
  }

  /// Nil if a number is not finite.
  private func sampled(_ sequences: [Int], _ noise: [Tensor]) -> SampledChunks? {
    try? source.chunks(of: sequences, noise: .concatenated(noise, along: 1))
  }

  private func add(_ new: SampledChunks, to sequences: [Int]) {
    let first = storage?.count ?? 0
    for (place, sequence) in sequences.enumerated() {
      chunks[sequence] += stride(from: first + place, to: first + new.count, by: sequences.count)
    }
    storage = storage.map { SampledChunks(joining: [$0, new]) } ?? new
  }
}
