import CALMSupport

/// Decides which block of which corpus comes next, for ever.
///
/// The corpora take turns so that after every draw each has been drawn as near to its share as whole numbers allow: the
/// next block comes from the corpus that is furthest behind weight · draws. Which that is follows from the position
/// alone.
struct BatchSchedule {
  /// Where a block lies.
  struct Draw: Equatable {
    var corpus: Int
    var block: Int
  }

  /// What has been drawn so far.
  private(set) var position: BatchPosition

  /// The corpora's shares, which add up to 1.
  private let shares: [Double]
  private let seed: UInt64
  private var permutations: [SequencePermutation]

  /// - Parameters:
  ///   - blocks: Blocks of each corpus.
  ///   - weights: The corpora's shares of all blocks drawn, up to a common factor.
  ///   - position: Where to go on, or nil for the beginning.
  /// - Throws: ``PackingError`` for a weight that is not positive or a position of other corpora.
  init(blocks: [Int], weights: [Double], seed: UInt64, startingAt position: BatchPosition?) throws {
    if blocks.isEmpty { throw PackingError.noDocuments }
    for (corpus, weight) in weights.enumerated() where !(weight > 0 && weight.isFinite) {
      throw PackingError.invalidWeight(corpus: corpus, weight: "\(weight)")
    }
    let position = position ?? BatchPosition(corpora: blocks.map { .init(epoch: 0, index: 0, blocks: $0) })
    try Self.check(position, blocks: blocks)
    let total = weights.reduce(0, +)
    shares = weights.map { $0 / total }
    self.position = position
    self.seed = seed
    permutations = zip(position.corpora.indices, position.corpora).map { corpus, place in
      SequencePermutation(count: place.blocks, seed: StableHash.combine(seed, UInt64(corpus)), epoch: place.epoch)
    }
  }

  /// The next block.
  mutating func next() -> Draw {
    let corpus = furthestBehind()
    let block = permutations[corpus][position.corpora[corpus].index]
    position.corpora[corpus].index += 1
    if position.corpora[corpus].index == position.corpora[corpus].blocks {
      position.corpora[corpus].index = 0
      position.corpora[corpus].epoch += 1
      permutations[corpus] = SequencePermutation(
        count: position.corpora[corpus].blocks, seed: StableHash.combine(seed, UInt64(corpus)),
        epoch: position.corpora[corpus].epoch)
    }
    return Draw(corpus: corpus, block: block)
  }

  private func furthestBehind() -> Int {
    if shares.count == 1 { return 0 }
    let drawn = position.corpora.map { $0.epoch * $0.blocks + $0.index }
    let draws = Double(drawn.reduce(1, +))
    var best = 0
    var deficit = -Double.infinity
    for corpus in shares.indices {
      let behind = shares[corpus] * draws - Double(drawn[corpus])
      if behind > deficit { (best, deficit) = (corpus, behind) }
    }
    return best
  }

  private static func check(_ position: BatchPosition, blocks: [Int]) throws {
    guard position.corpora.count == blocks.count else {
      throw PackingError.foreignPosition(reason: "it is of \(position.corpora.count) corpora, not \(blocks.count)")
    }
    for (corpus, (place, blocks)) in zip(position.corpora, blocks).enumerated() {
      guard place.blocks == blocks else {
        throw PackingError.foreignPosition(reason: "corpus \(corpus) had \(place.blocks) blocks and has \(blocks)")
      }
      guard place.epoch >= 0, (0..<blocks).contains(place.index) else {
        throw PackingError.foreignPosition(reason: "corpus \(corpus) stands at block \(place.index) of \(blocks)")
      }
    }
  }
}
