import CALMTraining
import Foundation

extension RunReport {
  /// Points that a curve is drawn with at most.
  private static let points = 240

  /// What stands first, in this order; other figures follow by name.
  private static let order = [
    "evaluation/brier_lm", "train/loss", "evaluation/energy_score", "evaluation/cross_entropy", "evaluation/accuracy",
    "train/gradient_norm", "train/tokens_per_second", "train/learning_rate",
  ]
  /// Not worth a curve.
  private static let left: Set = ["train/seconds", "train/tokens"]

  /// A chart of each figure that any run has.
  var charts: String {
    var keys: Set<String> = []
    for run in runs {
      keys.formUnion(run.metrics.training.keys.map { "train/" + $0 })
      keys.formUnion(run.metrics.evaluation.keys.map { "evaluation/" + $0 })
    }
    let rest = keys.subtracting(Self.order).subtracting(Self.left).sorted()
    let drawn = (Self.order.filter(keys.contains) + rest).compactMap(chart)
    if drawn.isEmpty { return "<p>No figures yet.</p>" }
    return "<section class=\"charts\">\n" + drawn.joined(separator: "\n") + "\n</section>"
  }

  private func chart(_ key: String) -> String? {
    let isEvaluation = key.hasPrefix("evaluation/")
    let name = String(key.drop { $0 != "/" }.dropFirst())
    let series = runs.map { run in
      let values = (isEvaluation ? run.metrics.evaluation : run.metrics.training)[name]
      let (points, ranges) = values?.thinned(to: Self.points) ?? ([], [])
      return LinePlot.Series(name: run.name, points: points, ranges: ranges)
    }
    // A figure that never changes, or was taken once, needs no picture.
    let values = series.flatMap { $0.points.map(\.y) }
    guard let first = values.first, values.contains(where: { $0 != first }) else { return nil }
    let title = Self.name(of: name) + (isEvaluation ? ", held out" : "")
    let plot = LinePlot(title: title, xLabel: "step", yLabel: name, series: series)
    let isThinned = series.contains { !$0.ranges.isEmpty }
    return """
      <figure class="chart" data-chart='\(data(of: plot))'>
      <figcaption>\(title.escapedForMarkup)<output></output></figcaption>
      \(plot.svg(in: .card))\(isThinned ? "<small>mean and range of neighbouring steps</small>" : "")
      </figure>
      """
  }

  /// What the page needs to read a curve off: the ends of the axis, where they stand, and the points.
  private func data(of plot: LinePlot) -> String {
    func list(_ values: [Double]) -> String { values.map { String(format: "%.6g", $0) }.joined(separator: ",") }
    let (frame, axis) = (LinePlot.Frame.card, plot.xAxis)
    let series = plot.series.map { "[[\(list($0.points.map(\.x)))],[\(list($0.points.map(\.y)))]]" }
    return """
      {"x":[\(list([axis.lower, axis.upper]))],"at":[\(list([frame.left, frame.width - frame.right, frame.top, frame.height - frame.bottom]))],\
      "series":[\(series.joined(separator: ","))]}
      """
  }

  /// How people call a figure.
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
