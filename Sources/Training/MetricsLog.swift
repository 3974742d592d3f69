import Files
import Foundation

/// Where the figures of a run go: `metrics.jsonl`, one JSON object a line, each with its `step`; and event files for
/// TensorBoard beside it.
final class MetricsLog {
  private let file: AppendedFile
  private let events: TensorBoardLog
  private let encoder = JSONEncoder()

  /// Opens the file for appending. Lines of steps after `step`, which an interrupted run has left behind its last
  /// checkpoint, are taken away, so that no step stands twice.
  init(_ url: URL, resumingAfter step: Int) throws {
    encoder.outputFormatting = [.sortedKeys]
    file = try AppendedFile(path: url.path)
    events = try TensorBoardLog(in: url.deletingLastPathComponent(), resumingAfter: step)
    try file.cut(to: Self.length(of: try Data(contentsOf: url), to: step))
  }

  func append(step: Int, _ values: [String: Double]) throws {
    let finite = values.filter { $0.value.isFinite }
    var line = finite
    line["step"] = Double(step)
    try file.append(try encoder.encode(line) + Data("\n".utf8))
    try events.append(step: step, finite, group: MetricsLine.isEvaluation(values.keys) ? "evaluation" : "train")
  }

  /// Bytes of the lines of steps up to `step`.
  private static func length(of content: Data, to step: Int) -> Int {
    var lines = LinesFromTheEnd(content)
    var end = lines.end
    while let line = lines.next() {
      if let entry = MetricsLine(line), entry.step <= step { break }
      end = lines.end
    }
    return end - content.startIndex
  }
}
