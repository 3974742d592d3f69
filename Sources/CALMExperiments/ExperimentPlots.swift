import CALMReports
import CALMTraining
import Foundation

/// The plots of an experiment.
struct ExperimentPlots {
  let rows: [ExperimentRow]
  /// The metrics of training by row.
  let curves: [String: MeanCurves]
  /// Where the speeds were measured, in words; nil if they were not.
  let machine: String?

  /// The plots with the names of their files, without empty ones.
  var all: [(name: String, plot: LinePlot)] {
    [
      ("brier-training", overTraining), ("brier-inference", overInference),
      ("brier-speed", overSpeed(\.one, temperature: "1")),
      ("brier-speed-half", overSpeed(\.half, temperature: "1/2")), ("brier-curves", brierCurves),
      ("loss-curves", lossCurves), ("accuracy-noise", accuracy), ("brier-cross-entropy", crossEntropy),
    ].filter { $0.1.series.contains { !$0.points.isEmpty } }
  }

  private var models: [ExperimentRow] { rows.filter { $0.results.contains { $0.brierLM != nil } } }

  private func series(_ key: String, of rows: [ExperimentRow]) -> [LinePlot.Series] {
    rows.map { LinePlot.Series(name: $0.name, points: curves[$0.name]?.points(of: key) ?? []) }
  }

  private var overTraining: LinePlot {
    let series = models.compactMap { model -> LinePlot.Series? in
      guard let cost = model.results.first?.training else { return nil }
      let points = (curves[model.name]?.points(of: "brier_lm") ?? []).map { (cost.flops(after: $0.x), $0.y) }
      return LinePlot.Series(name: model.name, points: points)
    }
    return LinePlot(
      title: "BrierLM against training FLOPs", xLabel: "training FLOPs, autoencoder included", yLabel: "BrierLM",
      series: series, isLogarithmic: true)
  }

  private var overInference: LinePlot {
    LinePlot(
      title: "BrierLM against inference FLOPs", xLabel: "FLOPs per token", yLabel: "BrierLM",
      series: chunkSizes { $0.inferenceFlopsPerToken }, isLogarithmic: true)
  }

  private func overSpeed(_ speed: KeyPath<GenerationSpeed, Double>, temperature: String) -> LinePlot {
    LinePlot(
      title: "BrierLM against the speed of one text at T = \(temperature)",
      xLabel: "tokens per second (\(machine ?? "not measured"))", yLabel: "BrierLM",
      series: chunkSizes { $0.speed?[keyPath: speed] }, isLogarithmic: true)
  }

  /// The final BrierLM against another measure. Models that differ only in their chunk sizes form a series.
  private func chunkSizes(_ measure: (ExperimentResult) -> Double?) -> [LinePlot.Series] {
    var names: [String] = []
    var members: [String: [(chunkSize: Int, point: (Double, Double))]] = [:]
    for model in models {
      guard let first = model.results.first, let x = model.mean(measure), let y = model.mean({ $0.brierLM?.score })
      else { continue }
      let name = model.name.replacing(/-chunk_size-\d+/, with: "")
      if members[name] == nil { names.append(name) }
      members[name, default: []].append((first.chunkSize, (x, y)))
    }
    return names.map { name in
      let members = members[name, default: []].sorted { $0.chunkSize < $1.chunkSize }
      return LinePlot.Series(name: name, points: members.map(\.point), labels: members.map { "K = \($0.chunkSize)" })
    }
  }

  private var brierCurves: LinePlot {
    LinePlot(title: "BrierLM in training", xLabel: "step", yLabel: "BrierLM", series: series("brier_lm", of: models))
  }

  private var lossCurves: LinePlot {
    LinePlot(
      title: "Training loss (differs by kind of model)", xLabel: "step", yLabel: "loss",
      series: series("loss", of: models))
  }

  private var accuracy: LinePlot {
    LinePlot(
      title: "Token accuracy with noise on the latent", xLabel: "standard deviation of the noise", yLabel: "accuracy",
      series: rows.compactMap { row in
        row.results.first?.accuracy.map { levels in
          let points = levels.compactMap { level in
            row.mean { $0.accuracy?.first { $0.noise == level.noise }?.accuracy }.map { (level.noise, $0) }
          }
          return LinePlot.Series(name: row.name, points: points)
        }
      })
  }

  /// The evaluations of autoregressive models during training; the name of each series includes the correlation.
  private var crossEntropy: LinePlot {
    let series = models.filter { $0.mean(\.crossEntropy) != nil }.map { model in
      let scores = curves[model.name]?.points(of: "brier_lm") ?? []
      let losses = curves[model.name]?.points(of: "cross_entropy") ?? []
      let points = zip(losses, scores).map { (x: $0.y, y: $1.y) }
      let name =
        model.mean(\.crossEntropyCorrelation).map { "\(model.name), r = \(String(format: "%.3f", $0))" } ?? model.name
      return LinePlot.Series(name: name, points: points)
    }
    return LinePlot(
      title: "BrierLM against cross-entropy in training", xLabel: "cross-entropy, nats", yLabel: "BrierLM",
      series: series)
  }
}

/// Pearson's correlation; nil for fewer than three points or constant values.
package func correlation(_ points: [(x: Double, y: Double)]) -> Double? {
  guard points.count >= 3 else { return nil }
  let count = Double(points.count)
  let (meanX, meanY) = (points.reduce(0) { $0 + $1.x } / count, points.reduce(0) { $0 + $1.y } / count)
  let covariance = points.reduce(0) { $0 + ($1.x - meanX) * ($1.y - meanY) }
  let squareX = points.reduce(0) { $0 + ($1.x - meanX) * ($1.x - meanX) }
  let squareY = points.reduce(0) { $0 + ($1.y - meanY) * ($1.y - meanY) }
  guard squareX > 0, squareY > 0 else { return nil }
  return covariance / (squareX * squareY).squareRoot()
}
