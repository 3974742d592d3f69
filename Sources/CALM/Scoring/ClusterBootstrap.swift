import CALMCorpus

/// Standard errors by resampling clusters: whole documents rather than positions, which are not independent.
///
/// Each replicate draws as many clusters as there are, with replacement, and computes the statistics again; their
/// standard deviation over the replicates, times √(D / (D − 1)) for D clusters, is the standard error. The factor makes
/// that of a mean unbiased, which matters where documents are few.
///
/// Source: B. Efron and R. Tibshirani, *An Introduction to the Bootstrap*, 1993, chapters 6 and 8.
public struct ClusterBootstrap: Hashable, Sendable {
  /// How often the clusters are resampled. The error's own relative error is about 1/√(2 · replicates).
  public let replicates: Int

  /// - Parameter replicates: how often to resample, at least 2.
  public init(replicates: Int = 1_000) {
    precondition(replicates >= 2, "a bootstrap needs at least 2 replicates, got \(replicates)")
    self.replicates = replicates
  }

  /// The standard error of each statistic.
  ///
  /// - Parameters:
  ///   - clusters: D, how many clusters there are.
  ///   - generator: the randomness of the resampling.
  ///   - statistics: computes the statistics when cluster i counts `multiplicities[i]` times; always as many of them.
  /// - Returns: as many standard errors, or nil with fewer than two clusters, where nothing can be said.
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
      // Welford's update: a difference of large sums would lose the small spread.
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
