extension RandomNumberGenerator {
  /// A uniform random multiple of 2⁻⁵³ in [0, 1).
  ///
  /// `Double.random(in:using:)` may map the same bits to another number in another version of Swift, so a seed would
  /// not be reproducible.
  mutating func unitInterval() -> Double {
    Double(next() >> 11) * 0x1p-53
  }
}
