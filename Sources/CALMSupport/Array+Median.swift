extension [Double] {
  /// The median of at least one value: the mean of the middle two if the number of values is even.
  package var median: Double {
    let sorted = sorted()
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
  }
}
