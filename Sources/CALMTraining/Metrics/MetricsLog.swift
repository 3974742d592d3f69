import CALMSupport
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
    let content = try Data(contentsOf: url)
    try file.cut(to: LinesFromTheEnd.length(of: content) { line in MetricsLine(line).map { $0.step <= step } ?? false })
  }

  /// Adds a line. A NaN or infinite metric, which JSON cannot represent, is written as null and left out of the event
  /// files.
  func append(step: Int, _ values: [String: Double]) throws {
    var line = values.mapValues { $0.isFinite ? $0 : nil }
    line["step"] = Double(step)
    try file.append(try encoder.encode(line) + Data("\n".utf8))
    let finite = values.filter { $0.value.isFinite }
    if finite.isEmpty { return }
    try events.append(step: step, finite, group: MetricsLine.isEvaluation(values.keys) ? "evaluation" : "train")
  }
}
