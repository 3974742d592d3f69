/// A hash of 64-bit numbers that, unlike `Hasher`, is the same on every machine and in every version.
package enum StableHash {
  /// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): a bijection in which every input bit affects every
  /// output bit.
  package static func mix(_ value: UInt64) -> UInt64 {
    var value = value &+ 0x9E37_79B9_7F4A_7C15
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }

  /// Combines several numbers into one; the order matters.
  package static func combine(_ values: UInt64...) -> UInt64 {
    values.reduce(0) { mix($0 ^ $1) }
  }
}
