import Torch

/// The cumulative sums of probabilities, which map uniform numbers to samples.
struct CumulativeSums {
  /// [positions, n], or [samples, positions, n] if the probabilities of samples differ.
  let sums: Tensor
  /// The sum of all: rounding may leave it below 1. […, 1].
  let total: Tensor

  /// - Parameter probabilities: [(samples,) positions, n], float32.
  init(_ probabilities: Tensor) {
    sums = probabilities.cumulativeSum(along: -1)
    let count = sums.shape[sums.rank - 1]
    total = sums.narrowed(-1, count - 1..<count)
  }

  /// The indices at which the sums first exceed shares of the total.
  ///
  /// - Parameter shares: numbers in [0, 1), [samples, positions, m].
  /// - Returns: [samples, positions, m], int64.
  func indices(at shares: Tensor) -> Tensor {
    let values = shares * total
    let (samples, positions, m) = (shares.shape[0], shares.shape[1], shares.shape[2])
    if sums.rank == 3 {
      let rows = sums.reshaped(samples * positions, -1)
      return rows.firstIndices(above: values.reshaped(-1, m)).reshaped(shares.shape)
    }
    let ofPosition = values.transposed(0, 1).contiguous().reshaped(positions, samples * m)
    return sums.firstIndices(above: ofPosition).reshaped(positions, samples, m).transposed(0, 1)
  }
}
