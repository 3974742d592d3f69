import Foundation
import Testing

@Suite("Help")
struct HelpTests {
  /// A command as the program itself describes it.
  private struct Description: Decodable {
    let commandName: String
    let subcommands: [Description]?

    func paths(after prefix: [String] = []) -> [[String]] {
      (subcommands ?? []).filter { $0.commandName != "help" }.flatMap { command in
        [prefix + [command.commandName]] + command.paths(after: prefix + [command.commandName])
      }
    }
  }

  private struct Dump: Decodable { let command: Description }

  @Test("every command has an example that begins with the command itself")
  func examples() throws {
    let dump = try Command.run(["--experimental-dump-help"])
    let paths = try JSONDecoder().decode(Dump.self, from: dump.output).command.paths()
    #expect(paths.count >= 12)
    for path in paths {
      let help = try Command.run(path + ["--help"])
      #expect(help.status == 0)
      let example = help.text.components(separatedBy: "Example:").dropFirst().first ?? ""
      #expect(example.contains("calm " + path.joined(separator: " ")), "calm \(path.joined(separator: " ")) --help")
    }
  }

  @Test("the program alone shows the usual path, and its version")
  func root() throws {
    let help = try Command.run([])
    #expect(help.text.contains("calm demo"))
    let version = try Command.run(["--version"]).text
    #expect(version.split(separator: ".").count == 3)
  }
}
