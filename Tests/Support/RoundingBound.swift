import Torch

/// A bound on the relative rounding error of a result, used as the tolerance of comparisons with a float64 reference.
///
/// The error of a sum of n numbers, in any order, is at most λ·√n·u times the sum of their magnitudes with probability
/// at least 1 − 2·exp(−λ²/2) (Higham and Mary, "A New Approach to Probabilistic Rounding Error Analysis", 2019). u is
/// half the distance between 1 and the next number of the type. With λ = 8 the probability of a false alarm is 3e-14.
///
/// Tests compare relative to the largest expected element, as an estimate of the sum of the magnitudes: terms of random
/// sign cancel in the rounding errors as they do in the sum.
///
/// - Parameters:
///   - dtype: the type of the arithmetic. Kernels for bfloat16 sum in float32.
///   - terms: the length of the longest sum. For a gradient, add the lengths of the sums that it passes through, and 1
///     for each other rounding.
package func roundingBound(_ dtype: DType, terms: Int) -> Double {
  8 * Double(terms).squareRoot() * unitRoundoff(dtype)
}

/// The relative error of storing a result in a type once: half the distance between 1 and the next number.
package func unitRoundoff(_ dtype: DType) -> Double {
  switch dtype {
  case .float64: 0x1p-53
  case .float32: 0x1p-24
  case .float16: 0x1p-11
  case .bfloat16: 0x1p-8
  default: preconditionFailure("\(dtype) is not a floating-point type")
  }
}
