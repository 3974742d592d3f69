import CTorch

/// The multiplications that `body` makes in matrix products, those of attention included: what libtorch was really asked
/// for on this thread, backward passes on the CPU included.
///
/// It is what a rule that counts operations is checked against. Kernels of this package count as far as they leave their
/// products to libtorch.
package func countingMultiplications(_ body: () -> Void) -> Int {
  check(ct_begin_counting())
  body()
  return Int(ct_end_counting())
}
