import CALMSupport
import Foundation

/// The figures of a run's `metrics.jsonl`, step by step.
public struct MetricsHistory: Sendable {
  /// A metric at the steps where it is present and finite.
  public struct Series: Sendable {
    /// Step and value, in the order of the file.
    public fileprivate(set) var points: [(x: Double, y: Double)] = []
  }

  /// The figures of training steps, by name.
  public private(set) var training: [String: Series] = [:]
  /// The figures of evaluations on held-out text, by name.
  public private(set) var evaluation: [String: Series] = [:]

  /// Reads the file; lines that hold no figures are passed over, and a missing file has none.
  public init(contentsOf url: URL) {
    guard let file = try? ReadableFile(path: url.path), let bytes = try? file.bytes(in: 0..<file.size) else { return }
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      guard let line = MetricsLine(line) else { continue }
      for (key, value) in line.values {
        guard let value else { continue }
        let point = (Double(line.step), value)
        if line.isEvaluation {
          evaluation[key, default: Series()].points.append(point)
        } else {
          training[key, default: Series()].points.append(point)
        }
      }
    }
  }

  /// A figure of the evaluations, or else of the training steps.
  public func points(of key: String) -> [(x: Double, y: Double)] {
    (evaluation[key] ?? training[key])?.points ?? []
  }
}

extension MetricsHistory.Series {
  /// The series in at most `limit` points: each the mean of the values in an equal part of the steps, with their range.
  /// Fewer points stay as they are, without ranges.
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
