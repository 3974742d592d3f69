import CALMSupport
import Foundation

/// Writes the metrics of a run: `metrics.jsonl` with one JSON object per line, and event files for TensorBoard.
final class MetricsLog {
  private let file: AppendedFile
  private let events: TensorBoardLog

  /// Opens the file for appending.
  ///
  /// Removes the lines of steps after `step`, which an interrupted run wrote after its last checkpoint and which will be
  /// written again.
  init(_ url: URL, resumingAfter step: Int) throws {
    file = try AppendedFile(path: url.path)
    events = try TensorBoardLog(in: url.deletingLastPathComponent(), resumingAfter: step)
    let content = try Data(contentsOf: url)
    try file.cut(to: LinesFromTheEnd.length(of: content) { line in MetricsLine(line).map { $0.step <= step } ?? false })
  }

  /// Appends a line. A NaN or infinite value is null in `metrics.jsonl` and absent from the event files.
  func append(_ kind: MetricsLine.Kind, step: Int, _ values: [String: Double]) throws {
    try file.append(try MetricsLine.encode(kind, step: step, values))
    let finite = values.filter { $0.value.isFinite }
    if !finite.isEmpty { try events.append(step: step, finite, group: kind.rawValue) }
  }
}
