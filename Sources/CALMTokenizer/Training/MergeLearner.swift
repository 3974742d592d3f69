/// Learns merges from counted pieces: in each step, the most frequent pair of adjacent tokens becomes a token.
///
/// The pieces are stored as linked lists of tokens. The learner keeps the count and the positions of every pair, so a
/// merge updates only adjacent pairs. Of equally frequent pairs, the one with the smaller ids is merged first, as in
/// Hugging Face `tokenizers`.
struct MergeLearner {
  private struct Candidate: Comparable {
    var count: Int
    var pair: UInt64
    var index: Int

    static func < (a: Candidate, b: Candidate) -> Bool {
      a.count != b.count ? a.count > b.count : a.pair < b.pair
    }
  }

  private struct Pair {
    var count = 0
    /// Current and former positions of the pair's left token, which are checked on use.
    var places: ContiguousArray<Int32> = []
  }

  // One entry per byte of the distinct pieces.
  private var tokens: ContiguousArray<Int32> = []
  private var next: ContiguousArray<Int32> = []
  private var previous: ContiguousArray<Int32> = []
  private var pieceAt: ContiguousArray<Int32> = []
  private let pieceCounts: ContiguousArray<Int>

  private var pairs: ContiguousArray<Pair> = []
  private var pairIndices: [UInt64: Int] = [:]
  private var queue = BinaryHeap<Candidate>()

  /// - Throws: ``TokenizerError/tooMuchDistinctText``.
  init(_ counter: PieceCounter, byteTokens: ContiguousArray<Int32>) throws {
    guard counter.bytes.count < Int(Int32.max) else { throw TokenizerError.tooMuchDistinctText }
    pieceCounts = ContiguousArray(counter.entries.map(\.count))
    tokens = ContiguousArray(counter.bytes.map { byteTokens[Int($0)] })
    next = ContiguousArray(repeating: -1, count: tokens.count)
    previous = next
    pieceAt = ContiguousArray(repeating: 0, count: tokens.count)
    for (piece, entry) in counter.entries.enumerated() {
      for place in entry.offset..<entry.offset + entry.length {
        pieceAt[place] = Int32(piece)
        if place > entry.offset {
          previous[place] = Int32(place - 1)
          next[place - 1] = Int32(place)
          count(tokens[place - 1], tokens[place], at: Int32(place - 1))
        }
      }
    }
    queue = BinaryHeap(
      ContiguousArray(pairIndices.map { Candidate(count: pairs[$0.value].count, pair: $0.key, index: $0.value) }))
  }

  /// Adds tokens to `vocabulary` until it has `size` tokens or no pair occurs at least `minimumFrequency` times.
  ///
  /// - Parameter reserved: Bytes that no merge may produce because the token would have the name of a special token.
  /// - Returns: The merges in order.
  mutating func learn(
    into vocabulary: inout Vocabulary, size: Int, minimumFrequency: Int, reserved: Set<[UInt8]>
  ) -> [Merge] {
    var merges: [Merge] = []
    while vocabulary.count < size, let best = queue.popMin() {
      let current = pairs[best.index].count
      if current != best.count {
        if current > 0 { queue.insert(Candidate(count: current, pair: best.pair, index: best.index)) }
        continue
      }
      if current < max(1, minimumFrequency) { break }
      let left = Int32(truncatingIfNeeded: best.pair >> 32)
      let right = Int32(truncatingIfNeeded: best.pair)
      let bytes = Array(vocabulary[left]) + vocabulary[right]
      if reserved.contains(bytes) { continue }
      // Another pair may already have produced the same bytes.
      let result = bytes.withUnsafeBufferPointer { vocabulary.id(of: $0) } ?? Int32(vocabulary.count)
      if Int(result) == vocabulary.count { _ = vocabulary.append(bytes, isEncodable: true) }
      merges.append(Merge(left: left, right: right, result: result, rank: Int32(merges.count)))
      merge(best.index, left, right, to: result)
    }
    return merges
  }

  private mutating func merge(_ index: Int, _ left: Int32, _ right: Int32, to result: Int32) {
    var changed: Set<UInt64> = []
    // From left to right, so that the first two of three equal tokens are merged.
    let places = pairs[index].places.sorted()
    pairs[index] = Pair()
    for place in places {
      let second = next[Int(place)]
      guard tokens[Int(place)] == left, second >= 0, tokens[Int(second)] == right else { continue }
      let before = previous[Int(place)]
      let after = next[Int(second)]
      tokens[Int(place)] = result
      tokens[Int(second)] = -1
      next[Int(place)] = after
      if before >= 0 {
        uncount(tokens[Int(before)], left, at: before)
        changed.insert(count(tokens[Int(before)], result, at: before))
      }
      if after >= 0 {
        previous[Int(after)] = place
        uncount(right, tokens[Int(after)], at: place)
        changed.insert(count(result, tokens[Int(after)], at: place))
      }
    }
    // No occurrence remains, even if the pair overlapped itself.
    pairs[index].count = 0
    for pair in changed {
      guard let index = pairIndices[pair], pairs[index].count > 0 else { continue }
      queue.insert(Candidate(count: pairs[index].count, pair: pair, index: index))
    }
  }

  @discardableResult
  private mutating func count(_ left: Int32, _ right: Int32, at place: Int32) -> UInt64 {
    let pair = Self.key(left, right)
    let index: Int
    if let known = pairIndices[pair] {
      index = known
    } else {
      index = pairs.count
      pairIndices[pair] = index
      pairs.append(Pair())
    }
    pairs[index].count += pieceCounts[Int(pieceAt[Int(place)])]
    pairs[index].places.append(place)
    return pair
  }

  private mutating func uncount(_ left: Int32, _ right: Int32, at place: Int32) {
    guard let index = pairIndices[Self.key(left, right)] else { return }
    pairs[index].count -= pieceCounts[Int(pieceAt[Int(place)])]
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 { UInt64(left) << 32 | UInt64(right) }
}
