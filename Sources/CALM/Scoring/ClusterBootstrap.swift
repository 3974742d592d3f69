import CALMCorpus

/// Standard errors by resampling clusters: whole documents instead of positions, which are not independent.
///
/// Each replicate samples D of the D clusters with replacement and computes the statistics. The standard error is their
/// standard deviation over the replicates, times √(D / (D − 1)). The factor makes the squared standard error of a mean
/// unbiased, which matters for few documents.
///
/// Source: B. Efron and R. Tibshirani, *An Introduction to the Bootstrap*, 1993, chapters 6 and 8.
public struct ClusterBootstrap: Hashable, Sendable {
  /// The number of replicates. The relative error of the standard error is about 1/√(2 · replicates).
  public let replicates: Int

  /// - Parameter replicates: the number of replicates, at least 2.
  public init(replicates: Int = 1_000) {
    precondition(replicates >= 2, "a bootstrap needs at least 2 replicates, got \(replicates)")
    self.replicates = replicates
  }

  /// The standard error of each statistic.
  ///
  /// - Parameters:
  ///   - clusters: D, the number of clusters.
  ///   - generator: the source of randomness for the resampling.
  ///   - statistics: computes the statistics with cluster i counted `multiplicities[i]` times; always the same number.
  /// - Returns: the standard error of each, or nil with fewer than two clusters.
  public func standardErrors(
    clusters: Int, using generator: inout some RandomNumberGenerator,
    statistics: (_ multiplicities: [Int]) -> [Double]
  ) -> [Double]? {
    guard clusters >= 2 else { return nil }
    var multiplicities = [Int](repeating: 0, count: clusters)
    var means: [Double] = []
    var squares: [Double] = []
    for replicate in 1...replicates {
      for index in multiplicities.indices { multiplicities[index] = 0 }
      for _ in 0..<clusters { multiplicities[generator.uniform(below: clusters)] += 1 }
      let values = statistics(multiplicities)
      if replicate == 1 {
        means = [Double](repeating: 0, count: values.count)
        squares = means
      }
      // Welford's algorithm: the difference of two large sums would be inaccurate.
      for (index, value) in values.enumerated() {
        let deviation = value - means[index]
        means[index] += deviation / Double(replicate)
        squares[index] += deviation * (value - means[index])
      }
    }
    let scale = Double(clusters) / Double(clusters - 1) / Double(replicates - 1)
    return squares.map { ($0 * scale).squareRoot() }
  }
}
