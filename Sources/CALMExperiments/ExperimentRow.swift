import CALM

/// The results of one run of an experiment from each seed: a row of its table.
public struct ExperimentRow: Sendable {
  /// The name of the run in the file.
  public let name: String
  /// The results, one for each seed.
  public let results: [ExperimentResult]

  /// The row of a single result.
  init(_ result: ExperimentResult) { self.init(name: result.name, results: [result]) }

  init(name: String, results: [ExperimentResult]) { (self.name, self.results) = (name, results) }

  /// The mean of a measure over the seeds that have it; nil if none has.
  func mean(_ measure: (ExperimentResult) -> Double?) -> Double? {
    let values = results.compactMap(measure)
    return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  /// The standard deviation of BrierLM over the seeds; nil with fewer than two.
  var deviationOverSeeds: Double? {
    let scores = results.compactMap { $0.brierLM?.score }
    guard scores.count > 1, let mean = mean({ $0.brierLM?.score }) else { return nil }
    return (scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(scores.count - 1)).squareRoot()
  }
}

extension ExperimentPlan {
  /// The rows of the table, in the order of the file.
  public func rows(of results: [ExperimentResult]) -> [ExperimentRow] {
    let byName = Dictionary(results.map { ($0.name, $0) }) { first, _ in first }
    return runs.filter { $0.seed == seeds[0] }.map(\.row).map { row in
      ExperimentRow(name: row, results: runs.filter { $0.row == row }.compactMap { byName[$0.name] })
    }
  }
}
