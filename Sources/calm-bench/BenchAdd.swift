import ArgumentParser
import CALMSupport
import CALMTerminal
import Foundation

/// `calm-bench add`.
struct BenchAdd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Add the rows of a results file, such as that of another machine, to a table.",
    discussion: """
      Reads the JSON that --out of this program or scripts/gpu-check wrote, and measures nothing. --out and --markdown \
      are those of 'calm-bench table'.

      Example:
        calm-bench add results/result.json --out docs/benchmarks/nvidia-h200.json --markdown docs/benchmarks.md
      """)

  @Argument(help: ArgumentHelp("The results file.", valueName: "file"))
  var file: String

  @OptionGroup var destination: BenchDestination

  func run() throws {
    guard let added = try BenchResults(contentsOf: file) else { throw BenchError.noResults(path: file) }
    var results = try destination.results()
    for row in added.rows { results.add(row) }
    try destination.write(results)
    print(added.text)
  }
}
