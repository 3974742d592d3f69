import CALMSupport

/// An endless schedule of sequences from several corpora.
///
/// The next sequence comes from the corpus that is furthest behind its share, its weight times the number of samples.
/// The number of samples from each corpus thus stays as close to its share as whole numbers allow. The choice depends
/// only on the position.
struct BatchSchedule {
  /// A sequence of one of the corpora.
  struct Sample: Equatable {
    var corpus: Int
    var sequence: Int
  }

  /// The position after the last sample.
  private(set) var position: BatchPosition

  /// The weights of the corpora, normalized to sum to 1.
  private let weights: [Double]
  private let seed: UInt64
  private var permutations: [SequencePermutation]

  /// - Parameters:
  ///   - sequences: The number of sequences in each corpus.
  ///   - weights: The relative frequencies of the corpora.
  ///   - position: Where to resume, or nil to start at the beginning.
  /// - Throws: ``PackingError`` if a weight is not positive or the position belongs to other corpora.
  init(sequences: [Int], weights: [Double], seed: UInt64, startingAt position: BatchPosition?) throws {
    if sequences.isEmpty { throw PackingError.noDocuments }
    for (corpus, weight) in weights.enumerated() where !(weight > 0 && weight.isFinite) {
      throw PackingError.invalidWeight(corpus: corpus, weight: "\(weight)")
    }
    let position = position ?? BatchPosition(corpora: sequences.map { .init(epoch: 0, index: 0, sequences: $0) })
    try Self.check(position, sequences: sequences)
    let total = weights.reduce(0, +)
    self.weights = weights.map { $0 / total }
    self.position = position
    self.seed = seed
    permutations = zip(position.corpora.indices, position.corpora).map { corpus, place in
      SequencePermutation(count: place.sequences, seed: StableHash.combine(seed, UInt64(corpus)), epoch: place.epoch)
    }
  }

  /// The next sample.
  mutating func next() -> Sample {
    let corpus = furthestBehind()
    let sequence = permutations[corpus][position.corpora[corpus].index]
    position.corpora[corpus].index += 1
    if position.corpora[corpus].index == position.corpora[corpus].sequences {
      position.corpora[corpus].index = 0
      position.corpora[corpus].epoch += 1
      permutations[corpus] = SequencePermutation(
        count: position.corpora[corpus].sequences, seed: StableHash.combine(seed, UInt64(corpus)),
        epoch: position.corpora[corpus].epoch)
    }
    return Sample(corpus: corpus, sequence: sequence)
  }

  private func furthestBehind() -> Int {
    if weights.count == 1 { return 0 }
    let taken = position.corpora.map { $0.epoch * $0.sequences + $0.index }
    let total = Double(taken.reduce(1, +))
    var best = 0
    var deficit = -Double.infinity
    for corpus in weights.indices {
      let behind = weights[corpus] * total - Double(taken[corpus])
      if behind > deficit { (best, deficit) = (corpus, behind) }
    }
    return best
  }

  private static func check(_ position: BatchPosition, sequences: [Int]) throws {
    guard position.corpora.count == sequences.count else {
      throw PackingError.foreignPosition(
        reason: "it is for \(position.corpora.count) corpora, not \(sequences.count)")
    }
    for (corpus, (place, count)) in zip(position.corpora, sequences).enumerated() {
      guard place.sequences == count else {
        throw PackingError.foreignPosition(
          reason: "corpus \(corpus) had \(place.sequences) sequences and now has \(count)")
      }
      guard place.epoch >= 0, (0..<count).contains(place.index) else {
        throw PackingError.foreignPosition(reason: "corpus \(corpus) is at sequence \(place.index) of \(count)")
      }
    }
  }
}
