import CALMTraining
import Foundation

extension RunReport {
  /// The maximum number of points in a curve.
  private static let maxPoints = 240

  /// The metrics to show first; the others follow in alphabetical order.
  private static let order = [
    "evaluation/brier_lm", "train/loss", "evaluation/energy_score", "evaluation/cross_entropy", "evaluation/accuracy",
    "train/gradient_norm", "train/tokens_per_second", "train/learning_rate",
  ]
  /// Metrics without a chart.
  private static let excluded: Set = ["train/seconds", "train/tokens"]

  /// A chart for each metric of any run.
  var charts: String {
    var keys: Set<String> = []
    for run in runs {
      keys.formUnion(run.metrics.training.keys.map { "train/" + $0 })
      keys.formUnion(run.metrics.evaluation.keys.map { "evaluation/" + $0 })
    }
    let rest = keys.subtracting(Self.order).subtracting(Self.excluded).sorted()
    let charts = (Self.order.filter(keys.contains) + rest).compactMap(chart)
    if charts.isEmpty { return "<p>No metrics yet.</p>" }
    return "<section class=\"charts\">\n" + charts.joined(separator: "\n") + "\n</section>"
  }

  private func chart(_ key: String) -> String? {
    let isEvaluation = key.hasPrefix("evaluation/")
    let name = String(key.drop { $0 != "/" }.dropFirst())
    let series = runs.map { run in
      let values = (isEvaluation ? run.metrics.evaluation : run.metrics.training)[name]
      let (points, ranges) = values?.thinned(to: Self.maxPoints) ?? ([], [])
      return LinePlot.Series(name: run.name, points: points, ranges: ranges)
    }
    // Skip metrics that are constant or have a single value.
    let values = series.flatMap { $0.points.map(\.y) }
    guard let first = values.first, values.contains(where: { $0 != first }) else { return nil }
    let title = Self.name(of: name) + (isEvaluation ? ", held out" : "")
    let plot = LinePlot(title: title, xLabel: "step", yLabel: name, series: series)
    let isThinned = series.contains { !$0.ranges.isEmpty }
    return """
      <figure class="chart" data-chart='\(data(of: plot))'>
      <figcaption>\(title.escapedForMarkup)<output></output></figcaption>
      \(plot.svg(in: .card))\(isThinned ? "<small>mean and range of neighboring steps</small>" : "")
      </figure>
      """
  }

  /// The data with which the page shows values under the pointer: the range of the axis, its position, and the points.
  private func data(of plot: LinePlot) -> String {
    func list(_ values: [Double]) -> String { values.map { String(format: "%.6g", $0) }.joined(separator: ",") }
    let (frame, axis) = (LinePlot.Frame.card, plot.xAxis)
    let series = plot.series.map { "[[\(list($0.points.map(\.x)))],[\(list($0.points.map(\.y)))]]" }
    return """
      {"x":[\(list([axis.lower, axis.upper]))],"at":[\(list([frame.left, frame.width - frame.right, frame.top, frame.height - frame.bottom]))],\
      "series":[\(series.joined(separator: ","))]}
      """
  }

  /// The name of a metric for display.
  static func name(of key: String) -> String {
    if let name = names[key] { return name }
    let words = key.split(separator: "_").joined(separator: " ")
    return words.prefix(1).uppercased() + words.dropFirst()
  }

  private static let names = [
    "loss": "Training loss", "brier_lm": "BrierLM", "energy": "Loss of the energy head",
    "energy_score": "Energy score", "auxiliary": "Auxiliary token loss",
    "accuracy": "Token accuracy", "accuracy_noise_0.3": "Token accuracy, noise 0.3", "divergence": "KL divergence",
    "loader_wait_seconds": "Loader wait, seconds", "tokens_per_second": "Tokens per second",
  ]
}
