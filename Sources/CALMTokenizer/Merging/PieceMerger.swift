/// Merges the bytes of a piece into tokens. Each step merges the pair with the lowest rank, the leftmost if several are
/// equal.
///
/// A merger reuses its memory for all pieces.
struct PieceMerger {
  /// The maximum length of pieces that are merged by linear search, which is faster than a heap for short pieces.
  private static let longestScanned = 96

  private var tokens: ContiguousArray<Int32> = []
  private var outcomes: ContiguousArray<MergeTable.Outcome> = []

  /// Appends the tokens of `piece` to `ids`.
  ///
  /// - Parameter byteTokens: The tokens of the 256 bytes.
  mutating func merge(
    _ piece: UnsafeBufferPointer<UInt8>, byteTokens: ContiguousArray<Int32>, table: MergeTable,
    into ids: inout [Int32]
  ) {
    tokens.removeAll(keepingCapacity: true)
    for byte in piece { tokens.append(byteTokens[Int(byte)]) }
    outcomes.removeAll(keepingCapacity: true)
    for index in 1..<max(1, tokens.count) { outcomes.append(table.outcome(of: tokens[index - 1], tokens[index])) }
    if piece.count <= Self.longestScanned {
      mergeByScanning(table)
    } else {
      mergeByHeap(table)
    }
    ids.append(contentsOf: tokens)
    if tokens.capacity > 1 << 16 { self = PieceMerger() }
  }

  private mutating func mergeByScanning(_ table: MergeTable) {
    while true {
      var best = MergeTable.noMerge
      var position = 0
      for index in outcomes.indices where outcomes[index] < best {
        best = outcomes[index]
        position = index
      }
      if best == MergeTable.noMerge { return }
      tokens[position] = Int32(truncatingIfNeeded: best)
      tokens.remove(at: position + 1)
      outcomes.remove(at: position)
      if position > 0 { outcomes[position - 1] = table.outcome(of: tokens[position - 1], tokens[position]) }
      if position < outcomes.count { outcomes[position] = table.outcome(of: tokens[position], tokens[position + 1]) }
    }
  }

  /// Merges in O(n log n) with a linked list of tokens and a heap of (rank, position). Stale heap entries are detected
  /// when they are popped.
  private mutating func mergeByHeap(_ table: MergeTable) {
    let count = tokens.count
    var next = ContiguousArray(1...count)
    var previous = ContiguousArray(-1..<count - 1)
    outcomes.append(MergeTable.noMerge)
    var candidates = ContiguousArray<UInt64>()
    for position in 0..<count where outcomes[position] != MergeTable.noMerge {
      candidates.append(Self.entry(outcomes[position], at: position))
    }
    var heap = BinaryHeap(candidates)

    while let entry = heap.popMin() {
      let position = Int(entry & 0xFFFF_FFFF)
      let outcome = outcomes[position]
      // A token that was merged into its left neighbor has no outcome, so it is skipped as well.
      guard outcome != MergeTable.noMerge, Self.entry(outcome, at: position) == entry else { continue }
      let merged = next[position]
      let after = next[merged]
      tokens[position] = Int32(truncatingIfNeeded: outcome)
      tokens[merged] = -1
      outcomes[merged] = MergeTable.noMerge
      next[position] = after
      outcomes[position] = MergeTable.noMerge
      if after < count {
        previous[after] = position
        outcomes[position] = table.outcome(of: tokens[position], tokens[after])
        if outcomes[position] != MergeTable.noMerge { heap.insert(Self.entry(outcomes[position], at: position)) }
      }
      let before = previous[position]
      if before >= 0 {
        outcomes[before] = table.outcome(of: tokens[before], tokens[position])
        if outcomes[before] != MergeTable.noMerge { heap.insert(Self.entry(outcomes[before], at: before)) }
      }
    }
    tokens.removeAll { $0 < 0 }
  }

  /// Combines the rank of an outcome with a position, so that entries sort by rank and then from left to right.
  private static func entry(_ outcome: MergeTable.Outcome, at position: Int) -> UInt64 {
    outcome & 0xFFFF_FFFF_0000_0000 | UInt64(position)
  }
}
