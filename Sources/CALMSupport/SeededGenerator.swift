/// A random number generator that depends only on its seed. Its numbers are the same on every platform and with every
/// version of Swift, so corpora, data orders and runs are reproducible.
///
/// The algorithm is xoshiro256** 1.0 by David Blackman and Sebastiano Vigna (<https://prng.di.unimi.it>), seeded by
/// SplitMix64 as its authors recommend. It is not suitable for cryptography.
///
/// The standard library does not specify how `random(in:using:)` and `shuffle(using:)` convert bits to numbers. Use
/// ``Swift/RandomNumberGenerator/uniform(below:)`` and ``Swift/RandomNumberGenerator/shuffle(_:)`` if the result must
/// be reproducible.
public struct SeededGenerator: RandomNumberGenerator, Hashable, Sendable {
  @usableFromInline var words: SIMD4<UInt64>

  /// The state, which is four words that are not all zero. A generator created from it with ``init(state:)`` continues
  /// the sequence.
  public var state: [UInt64] { (0..<4).map { words[$0] } }

  /// Creates a generator from a seed.
  ///
  /// - Parameters:
  ///   - seed: Any number. Seeds that differ in a single bit give unrelated sequences.
  ///   - stream: Selects one of the sequences of the seed, for example one per epoch or worker.
  public init(seed: UInt64, stream: UInt64 = 0) {
    // Stream 0 is standard SplitMix64 seeding; the others start at a state mixed from seed and stream.
    var filler = SplitMix64(state: seed)
    if stream != 0 {
      filler = SplitMix64(state: filler.next() ^ (stream &* 0xD134_2543_DE82_EF95))
    }
    words = SIMD4(filler.next(), filler.next(), filler.next(), filler.next())
  }

  /// Continues from a state. Returns `nil` for an invalid state, which is one without exactly four words or with all
  /// words zero.
  public init?(state: [UInt64]) {
    guard state.count == 4, state.contains(where: { $0 != 0 }) else { return nil }
    words = SIMD4(state)
  }

  /// The next 64 random bits.
  @inlinable
  public mutating func next() -> UInt64 {
    let result = SeededGenerator.rotateLeft(words[1] &* 5, by: 7) &* 9
    let shifted = words[1] << 17
    words[2] ^= words[0]
    words[3] ^= words[1]
    words[1] ^= words[2]
    words[0] ^= words[3]
    words[2] ^= shifted
    words[3] = SeededGenerator.rotateLeft(words[3], by: 45)
    return result
  }

  @inlinable
  static func rotateLeft(_ word: UInt64, by count: UInt64) -> UInt64 {
    (word << count) | (word >> (64 - count))
  }
}

extension SeededGenerator: Codable {
  /// Decodes the four words of the state.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let generator = SeededGenerator(state: try container.decode([UInt64].self)) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "The state of a random number generator is four numbers that are not all zero."
      )
    }
    self = generator
  }

  /// Encodes the four words of the state.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(state)
  }
}

extension RandomNumberGenerator {
  /// Returns a uniformly distributed number in `0..<bound`.
  ///
  /// The method is Daniel Lemire's ("Fast random integer generation in an interval", 2019): the high word of a random
  /// word times the bound, with rejection of the few words that would bias the result.
  @inlinable
  public mutating func uniform(below bound: Int) -> Int {
    precondition(bound > 0, "uniform(below:): the bound \(bound) is not positive")
    let width = UInt64(bound)
    var product = next().multipliedFullWidth(by: width)
    if product.low < width {
      let rejected = (0 &- width) % width
      while product.low < rejected {
        product = next().multipliedFullWidth(by: width)
      }
    }
    return Int(product.high)
  }

  /// Shuffles elements; all orders are equally likely (Fisher and Yates, starting at the last element).
  @inlinable
  public mutating func shuffle<Element>(_ elements: inout [Element]) {
    for last in stride(from: elements.count - 1, to: 0, by: -1) {
      elements.swapAt(last, uniform(below: last + 1))
    }
  }
}

/// SplitMix64 by Steele, Lea and Flood, which expands one word into many unrelated ones.
private struct SplitMix64 {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
