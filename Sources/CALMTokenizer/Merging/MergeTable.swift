/// Two neighbouring tokens that become one.
struct Merge: Equatable, Sendable {
  var left: Int32
  var right: Int32
  /// The token whose bytes are those of `left` and `right`.
  var result: Int32
  /// The order of merging: of all merges that a piece allows, the one of lowest rank comes first.
  var rank: Int32
}

/// Answers what two neighbouring tokens merge to.
struct MergeTable: Sendable {
  /// What a pair merges to: the rank in the high half, the resulting token in the low one, so that the smaller value is
  /// the merge that comes first.
  typealias Outcome = UInt64

  /// The outcome of a pair that does not merge; greater than every other.
  static let noMerge = Outcome.max

  private struct Slot {
    var pair: UInt64
    var outcome: Outcome
  }

  private var slots: ContiguousArray<Slot>
  private let shift: UInt64
  // No pair of ids has this key, since ids are not negative.
  private static let empty = UInt64.max

  /// A table of `merges`; of several merges of one pair the first counts.
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

  /// The slot that holds `pair`, or the empty one that it would go to.
  @inline(__always)
  private func findSlot(of pair: UInt64) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: (pair &* 0x9E37_79B9_7F4A_7C15) >> shift)
    while slots[slot].pair != pair, slots[slot].pair != Self.empty { slot = (slot + 1) & mask }
    return slot
  }
}
