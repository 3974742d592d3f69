import ArgumentParser

/// `calm bench`.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time this program, beside the official code where that is at hand.",
    discussion: """
      Random tokens and fresh weights, so only speed and memory mean anything. Each measurement is a process of its \
      own, so that its peak memory is its own. With --official and --python the official code does the same work in \
      turn, A B A B, in the same precision, threads and shapes.

      Example:
        calm bench
        calm bench train-lm generate --shape small --official ../calm --python venv/bin/python --json
        calm bench job train-ae --precision bfloat16
        calm bench growth --out docs/growth
      """,
    subcommands: [BenchTable.self, BenchJobCommand.self, BenchMachine.self, BenchGrowth.self],
    defaultSubcommand: BenchTable.self)
}
