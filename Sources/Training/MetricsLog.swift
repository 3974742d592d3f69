import Foundation

/// `metrics.jsonl`: one JSON object a line, each with its `step`.
final class MetricsLog {
  private let handle: FileHandle
  private let encoder = JSONEncoder()

  /// Opens the file for appending. Lines of steps after `step`, which an interrupted run has left behind its last
  /// checkpoint, are taken away, so that no step stands twice.
  init(_ url: URL, resumingAfter step: Int) throws {
    encoder.outputFormatting = [.sortedKeys]
    if !FileManager.default.fileExists(atPath: url.path) {
      guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
        throw TrainingError.cannotWrite(url.path, "the folder is not writable")
      }
    }
    handle = try FileHandle(forUpdating: url)
    try cut(after: step)
  }

  deinit { try? handle.close() }

  func append(step: Int, _ values: [String: Double]) throws {
    var values = values.filter { $0.value.isFinite }
    values["step"] = Double(step)
    try handle.write(contentsOf: try encoder.encode(values) + Data("\n".utf8))
  }

  private func cut(after step: Int) throws {
    struct Line: Decodable { let step: Double }
    let content = try handle.readToEnd() ?? Data()
    var kept = 0
    for line in content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
      guard let entry = try? JSONDecoder().decode(Line.self, from: line), entry.step <= Double(step) else { break }
      kept += line.count + 1
    }
    try handle.truncate(atOffset: UInt64(kept))
    try handle.seekToEnd()
  }
}
