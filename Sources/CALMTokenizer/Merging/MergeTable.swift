/// A merge of two adjacent tokens into one.
struct Merge: Equatable, Sendable {
  var left: Int32
  var right: Int32
  /// The token whose bytes are those of `left` followed by those of `right`.
  var result: Int32
  /// The priority of the merge. The applicable merge with the lowest rank is applied first.
  var rank: Int32
}

/// A hash table of merges.
struct MergeTable: Sendable {
  /// The outcome of a merge, with the rank in the high half and the resulting token in the low half. The smaller value
  /// is the merge to apply first.
  typealias Outcome = UInt64

  /// The outcome of a pair that does not merge; greater than every other.
  static let noMerge = Outcome.max

  private struct Slot {
    var pair: UInt64
    var outcome: Outcome
  }

  private var slots: ContiguousArray<Slot>
  private let shift: UInt64
  // Ids are not negative, so no pair has this key.
  private static let empty = UInt64.max

  /// Creates a table of `merges`. Of several merges of the same pair, the first is used.
  init(_ merges: [Merge]) {
    var bits: UInt64 = 4
    while 1 << bits < merges.count * 2 { bits += 1 }
    slots = ContiguousArray(repeating: Slot(pair: Self.empty, outcome: Self.noMerge), count: 1 << bits)
    shift = 64 - bits
    for merge in merges {
      let pair = Self.key(merge.left, merge.right)
      let slot = findSlot(of: pair)
      if slots[slot].pair == Self.empty {
        slots[slot] = Slot(pair: pair, outcome: UInt64(merge.rank) << 32 | UInt64(merge.result))
      }
    }
  }

  @inline(__always)
  func outcome(of left: Int32, _ right: Int32) -> Outcome {
    slots[findSlot(of: Self.key(left, right))].outcome
  }

  @inline(__always)
  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// The slot that contains `pair`, or the empty slot where it would be inserted.
  @inline(__always)
  private func findSlot(of pair: UInt64) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: (pair &* 0x9E37_79B9_7F4A_7C15) >> shift)
    while slots[slot].pair != pair, slots[slot].pair != Self.empty { slot = (slot + 1) & mask }
    return slot
  }
}
