import ArgumentParser
import CALMSupport
import CALMTerminal
import Foundation
import Torch

/// The program `calm-bench`: times every job, and the official code doing the same.
@main
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calm-bench",
    abstract: "Time every job, and the official code doing the same if it is available.",
    discussion: """
      Tokens are random and weights are fresh: only speed and memory mean anything. Each measurement runs in a process \
      of its own, so its peak memory is its own. With --official and --python the official code does the same work \
      alternately (A B A B), with the same precision, threads and shapes.

      Example:
        calm-bench
        calm-bench train-lm generate --shape small --official ../calm --python venv/bin/python --json
        calm-bench job train-ae --precision bfloat16
        calm-bench growth --out docs/growth
      """,
    version: calmVersion,
    subcommands: [BenchTable.self, BenchJobCommand.self, BenchMachine.self, BenchGrowth.self],
    defaultSubcommand: BenchTable.self)

  /// Runs the command that the arguments name. A failure prints one line and exits with status 1, wrong arguments print
  /// the usage and exit with status 64.
  static func main() {
    signal(SIGPIPE, SIG_DFL)
    do {
      try Processor.Level.checkLimit()
      var command = try parseAsRoot()
      try command.run()
    } catch {
      guard exitCode(for: error) == .failure else { exit(withError: error) }
      let line = failureLine(for: error)
      if !line.isEmpty { StandardError.write("Error: \(line)\n") }
      exit(withError: ExitCode.failure)
    }
  }
}
