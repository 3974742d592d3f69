import CALMSupport

/// A seeded permutation of 0 ..< count in constant memory.
///
/// A Feistel network permutes the numbers of 2m bits, where 4^m ≥ count. A result outside 0 ..< count passes through
/// the network again until it is inside ("cycle walking", Black and Rogaway, 2002). Both steps are bijections for any
/// round function, so every number occurs exactly once. The mean number of passes is at most four.
public struct SequencePermutation: Sendable {
  /// The size of the permutation.
  public let count: Int

  private let halfBits: UInt64
  private let keys: [UInt64]
  private static let rounds = 8

  /// Creates the order of one epoch. Each seed and each epoch has a different order.
  public init(count: Int, seed: UInt64, epoch: Int = 0) {
    precondition(count > 0, "SequencePermutation: count \(count)")
    self.count = count
    let bits = Int.bitWidth - (count - 1).leadingZeroBitCount
    halfBits = UInt64(max(1, (bits + 1) / 2))
    keys = (0..<Self.rounds).map { StableHash.combine(seed, UInt64(bitPattern: Int64(epoch)), UInt64($0)) }
  }

  /// The number at position `index` of the order.
  public subscript(index: Int) -> Int {
    precondition(index >= 0 && index < count, "SequencePermutation: index \(index) of \(count)")
    var value = UInt64(index)
    repeat { value = pass(value) } while value >= UInt64(count)
    return Int(value)
  }

  private func pass(_ value: UInt64) -> UInt64 {
    let mask = (1 << halfBits) - 1 as UInt64
    var left = value >> halfBits
    var right = value & mask
    for key in keys {
      (left, right) = (right, left ^ (StableHash.mix(right ^ key) & mask))
    }
    return left << halfBits | right
  }
}
