extension RandomNumberGenerator {
  /// A number from [0, 1), a multiple of 2⁻⁵³, each equally likely.
  ///
  /// `Double.random(in:using:)` does not promise to turn the same bits into the same number in every version of Swift;
  /// a seed must.
  mutating func unitInterval() -> Double {
    Double(next() >> 11) * 0x1p-53
  }
}
