import ArgumentParser
import CALMSupport
import Foundation

/// `calm serve`: hands over to the program `calm-serve`, which is built on its own because of its HTTP server.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve models over HTTP with OpenAI's interface.",
    discussion: """
      Hands over to the program calm-serve, which 'make serve' builds next to this one. 'calm serve --help' lists its \
      options.

      Example:
        calm serve runs/lm/model
      """)

  @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("The arguments of calm-serve.", valueName: "argument"))
  var arguments: [String] = []

  func run() throws {
    let own = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
    let program = own.deletingLastPathComponent().appendingPathComponent("calm-serve").path
    guard FileManager.default.isExecutableFile(atPath: program) else { throw ServeError.notBuilt(program) }
    var words = ([program] + arguments).map { strdup($0) } + [nil]
    execv(program, &words)
    throw ServeError.notStarted(program, String(cString: strerror(errno)))
  }
}

private enum ServeError: DescribedError {
  case notBuilt(String)
  case notStarted(String, String)

  var description: String {
    switch self {
    case .notBuilt(let program): "\(program): no such program; build it with: make serve"
    case .notStarted(let program, let reason): "\(program): \(reason)"
    }
  }
}
