import Foundation
import Testing

/// A running `calm` process that a test can observe and interrupt.
final class TrainingProcess {
  private let process = Process()
  private let files: TemporaryFolder

  /// Starts `calm` with arguments; `limit` is the maximum size in bytes of files that it may write.
  init(_ arguments: [String], fileSizeLimit limit: Int? = nil) throws {
    files = try TemporaryFolder()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    let command = (limit.map { "ulimit -f \(max(1, $0 / 512)); " } ?? "") + "exec \"$0\" \"$@\""
    process.arguments = ["-c", command, Command.url.path] + arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: try files.write(Data(), "out"))
    process.standardError = try FileHandle(forWritingTo: try files.write(Data(), "err"))
    try process.run()
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  var isRunning: Bool { process.isRunning }
  var output: String { text("out") }
  var errorOutput: String { text("err") }

  private func text(_ name: String) -> String {
    (try? String(contentsOf: files.url.appendingPathComponent(name), encoding: .utf8)) ?? ""
  }

  /// Sends a signal.
  func send(_ signal: Int32) { if process.isRunning { kill(process.processIdentifier, signal) } }

  /// Polls until a condition is true.
  ///
  /// - Returns: whether it became true while the process ran.
  func wait(until condition: () -> Bool) throws -> Bool {
    let start = ContinuousClock.now
    while process.isRunning {
      if condition() { return true }
      try #require(ContinuousClock.now - start < .seconds(120), "calm hangs: \(errorOutput)")
      usleep(500)
    }
    return condition()
  }

  /// Waits for the process to end.
  ///
  /// - Returns: the exit status, or minus the number of the signal that terminated it.
  @discardableResult
  func end() throws -> Int32 {
    _ = try wait { false }
    process.waitUntilExit()
    return process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
  }
}

/// A run's folder as seen by another process.
struct WatchedRun {
  let url: URL

  /// The step of the last complete line of metrics; 0 before the first.
  var lastLoggedStep: Int { steps.last ?? 0 }

  /// The steps of the lines of metrics that are not evaluations.
  var steps: [Int] { lines.compactMap { $0["loss"] == nil ? nil : $0["step"].map { Int($0) } } }

  /// The lines of metrics without timings.
  var lines: [[String: Double]] {
    let text = (try? String(contentsOf: url.appendingPathComponent("metrics.jsonl"), encoding: .utf8)) ?? ""
    return text.split(separator: "\n").compactMap {
      (try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])?.compactMapValues { $0 as? Double }
        .filter { !$0.key.contains("second") && !$0.key.contains("wait") }
    }
  }

  /// The checkpoint that `latest` names.
  var latest: URL? {
    guard let name = try? String(contentsOf: url.appendingPathComponent("latest"), encoding: .utf8) else { return nil }
    return checkpoints.appendingPathComponent(name.trimmingCharacters(in: .whitespacesAndNewlines))
  }

  var checkpoints: URL { url.appendingPathComponent("checkpoints") }

  /// The steps of all checkpoints, in order.
  var checkpointSteps: [Int] {
    ((try? FileManager.default.contentsOfDirectory(atPath: checkpoints.path)) ?? []).compactMap {
      Self.step(of: checkpoints.appendingPathComponent($0))
    }.sorted()
  }

  /// The step of a checkpoint.
  static func step(of checkpoint: URL) -> Int? {
    let name = checkpoint.lastPathComponent
    return name.hasPrefix("step-") ? Int(name.dropFirst(5)) : nil
  }

  /// Whether a checkpoint is being written at the moment.
  var isWritingCheckpoint: Bool {
    ((try? FileManager.default.contentsOfDirectory(atPath: checkpoints.path)) ?? []).contains { $0.hasPrefix(".") }
  }

  /// The state of the run according to `calm runs`.
  func state() throws -> String? {
    let listed = try Command.run(["runs", url.path, "--json"])
    let runs = try #require(JSONSerialization.jsonObject(with: listed.output) as? [[String: Any]])
    return runs.first?["state"] as? String
  }

  /// The files of a folder within the run, by their paths.
  func files(of folder: String) throws -> [String: Data] {
    let base = url.appendingPathComponent(folder)
    var files: [String: Data] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: base.path) {
      // A folder has no data.
      if let data = try? Data(contentsOf: base.appendingPathComponent(path)) { files[path] = data }
    }
    return files
  }
}
