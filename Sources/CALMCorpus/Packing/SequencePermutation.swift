import CALMSupport

/// A seeded order of 0 ..< count that takes no memory in proportion to `count`.
///
/// A Feistel network permutes the numbers of 2m bits, 4^m ≥ count; a number that falls outside 0 ..< count is sent
/// through again until it falls inside ("cycle walking", Black and Rogaway, 2002). Both are bijections whatever the
/// round function is, so every number comes once; at most four passes are needed on average.
public struct SequencePermutation: Sendable {
  /// How many numbers are permuted.
  public let count: Int

  private let halfBits: UInt64
  private let keys: [UInt64]
  private static let rounds = 8

  /// The order for one epoch; another seed or epoch gives another order.
  public init(count: Int, seed: UInt64, epoch: Int = 0) {
    precondition(count > 0, "SequencePermutation: count \(count)")
    self.count = count
    let bits = Int.bitWidth - (count - 1).leadingZeroBitCount
    halfBits = UInt64(max(1, (bits + 1) / 2))
    keys = (0..<Self.rounds).map { StableHash.combine(seed, UInt64(bitPattern: Int64(epoch)), UInt64($0)) }
  }

  /// The number at place `index`.
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
