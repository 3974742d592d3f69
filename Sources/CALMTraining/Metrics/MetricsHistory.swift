import CALMSupport
import Foundation

/// The metrics of a run over its steps, read from `metrics.jsonl`.
public struct MetricsHistory: Sendable {
  /// The values of one metric, at the steps where it is present and finite.
  public struct Series: Sendable {
    /// The steps and values, in the order of the file.
    public fileprivate(set) var points: [(x: Double, y: Double)] = []
  }

  /// The metrics of training steps, by name.
  public private(set) var training: [String: Series] = [:]
  /// The metrics of evaluations on held-out text, by name.
  public private(set) var evaluation: [String: Series] = [:]

  /// Reads a file. Lines that are not metrics are ignored; a missing file has no metrics.
  public init(contentsOf url: URL) {
    guard let file = try? ReadableFile(path: url.path), let bytes = try? file.bytes(in: 0..<file.size) else { return }
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      guard let line = MetricsLine(line) else { continue }
      for (key, value) in line.values {
        guard let value else { continue }
        let point = (Double(line.step), value)
        switch line.kind {
        case .train: training[key, default: Series()].points.append(point)
        case .evaluation: evaluation[key, default: Series()].points.append(point)
        }
      }
    }
  }

  /// The values of a metric of the evaluations, or else of the training steps.
  public func points(of key: String) -> [(x: Double, y: Double)] {
    (evaluation[key] ?? training[key])?.points ?? []
  }
}

extension MetricsHistory.Series {
  /// Reduces the series to at most `limit` points: the mean and the range of the values in equal intervals of steps.
  /// A shorter series is returned unchanged and without ranges.
  package func thinned(to limit: Int) -> (points: [(x: Double, y: Double)], ranges: [ClosedRange<Double>]) {
    guard points.count > limit, let first = points.first?.x, let last = points.last?.x, last > first else {
      return (points, [])
    }
    struct Part { var (count, x, y, least, most) = (0.0, 0.0, 0.0, Double.infinity, -Double.infinity) }
    var parts = [Part](repeating: Part(), count: limit)
    for point in points where point.y.isFinite {
      let index = min(limit - 1, max(0, Int((point.x - first) / (last - first) * Double(limit))))
      parts[index].count += 1
      parts[index].x += point.x
      parts[index].y += point.y
      parts[index].least = min(parts[index].least, point.y)
      parts[index].most = max(parts[index].most, point.y)
    }
    let filled = parts.filter { $0.count > 0 }
    return (filled.map { ($0.x / $0.count, $0.y / $0.count) }, filled.map { $0.least...$0.most })
  }
}
