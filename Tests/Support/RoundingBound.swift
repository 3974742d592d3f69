import Torch

/// The relative error that rounding may leave in a result: the tolerance of a comparison with a float64 reference.
///
/// A sum of n numbers, added in any order, errs by at most λ·√n·u times the sum of their magnitudes, with a probability
/// of at least 1 − 2·exp(−λ²/2) (Higham and Mary, "A New Approach to Probabilistic Rounding Error Analysis", 2019). u is
/// half the distance between 1 and the next number of the type. Here λ = 8, which leaves 3e-14 for a false alarm.
///
/// Tests compare relative to the largest element expected. It stands for the sum of the magnitudes: summands of random
/// sign cancel in the rounding errors as they do in the sum.
///
/// - Parameters:
///   - dtype: the type of the arithmetic. Kernels for bfloat16 sum in float32.
///   - terms: the length of the longest sum, counting the sums one after the other that a gradient passes through, and
///     each rounding on its way as one.
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
  default: preconditionFailure("\(dtype) holds whole numbers")
  }
}
