import ArgumentParser
import CALMSupport
import CALMTerminal
import Foundation
import Torch

/// The program `calm-bench`: measures speed and memory, optionally in comparison with the official code.
@main
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calm-bench",
    abstract: "Measure speed and memory, optionally in comparison with the official code.",
    discussion: """
      Tokens and weights are random: only speed and memory are meaningful. Each measurement runs in its own process \
      and reports the peak memory of that process. With --official and --python, this program and the official code \
      alternate (A B A B), with the same precision, threads and shapes.

      Example:
        calm-bench
        calm-bench train-lm generate --shape small --official ../calm --python venv/bin/python --json
        calm-bench job train-ae --precision bfloat16
        calm-bench growth --out docs/growth
      """,
    version: calmVersion,
    subcommands: [BenchTable.self, BenchAdd.self, BenchJobCommand.self, BenchMachine.self, BenchGrowth.self],
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
