import CTorch

/// Counts the scalar multiplications in the matrix products and attention that libtorch runs for `body` on this thread,
/// including backward passes on the CPU.
///
/// Tests compare analytic operation counts with it. Products that this package's kernels compute themselves are not
/// counted.
package func countingMultiplications(_ body: () -> Void) -> Int {
  check(ct_begin_counting())
  body()
  return Int(ct_end_counting())
}
