import ArgumentParser
import CALMTerminal
import CALMTraining
import Foundation

/// `calm runs`.
struct RunsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs",
    abstract: "List the runs in a folder: kind, state, progress and latest metrics.",
    discussion: """
      A run is running, finished (it reached its limit of steps, tokens or time), stopped (by Ctrl-C, before a limit), \
      failed (with an error) or crashed (the process exited without a recorded reason). Listing changes nothing.

      Example:
        calm runs
        calm runs runs --json
      """)

  @Argument(help: "Folder to search, three levels deep.")
  var folder = "."

  @OptionGroup var report: OutputOptions

  func run() throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
      throw InputError.noFolderToRead(folder)
    }
    let (runs, damaged) = RunSummary.all(under: URL(fileURLWithPath: folder))
    for error in damaged { StandardError.note(failureLine(for: error)) }
    if runs.isEmpty { StandardError.note("\(folder): no runs there") }
    if runs.isEmpty && !report.isJSON { return }
    try report.print(runs, text: text(of: runs))
  }

  private func text(of runs: [RunSummary]) -> String {
    var table = Table(
      header: ["run", "kind", "state", "step", "loss", "tokens/s", "last update", "held out"],
      alignments: [.left, .left, .left, .right, .right, .right, .right, .left])
    for run in runs {
      let steps = grouped(run.step) + (run.totalSteps.map { " of " + grouped($0) } ?? "")
      let evaluation = run.evaluation.sorted { $0.key < $1.key }.map { key, value in
        "\(key) \(value.map { String(format: "%.4g", $0) } ?? "not finite")"
      }
      table.append([
        relativePath(run.path), run.kind, run.state.rawValue, steps,
        run.loss.map { String(format: "%.4f", $0) } ?? "",
        run.tokensPerSecond.map { shortCount(Int($0)) } ?? "", age(since: run.updated),
        evaluation.joined(separator: ", "),
      ])
    }
    let reasons = runs.filter { $0.state == .failed }.compactMap { run in
      run.reason.map { "\(relativePath(run.path)) failed: \($0)\n" }
    }
    return table.text + reasons.joined()
  }

  /// `40 s ago`, `12 min ago`, `3 h ago`, `5 days ago`.
  private func age(since date: Date) -> String {
    switch max(0, -date.timeIntervalSinceNow) {
    case let seconds where seconds < 100: "\(Int(seconds)) s ago"
    case let seconds where seconds < 6000: "\(Int(seconds / 60)) min ago"
    case let seconds where seconds < 48 * 3600: "\(Int(seconds / 3600)) h ago"
    case let seconds: "\(Int(seconds / 86400)) days ago"
    }
  }
}

/// A path as the user would write it here.
func relativePath(_ path: String) -> String {
  let here = FileManager.default.currentDirectoryPath + "/"
  return path.hasPrefix(here) ? String(path.dropFirst(here.count)) : path
}
