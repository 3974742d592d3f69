import Foundation
import Testing

@Suite("Help")
struct HelpTests {
  /// A command as the program itself describes it.
  private struct Description: Decodable {
    let commandName: String
    let discussion: String?
    let subcommands: [Description]?

    /// This command's subcommands at all depths, each with the words that call it.
    func all(after words: String) -> [(words: String, command: Description)] {
      (subcommands ?? []).filter { $0.commandName != "help" }.flatMap { command in
        let words = words + " " + command.commandName
        return [(words, command)] + command.all(after: words)
      }
    }
  }

  private struct Dump: Decodable { let command: Description }

  @Test("every command has an example that calls it")
  func examples() throws {
    let dump = try Command.run(["--experimental-dump-help"])
    let commands = try JSONDecoder().decode(Dump.self, from: dump.output).command.all(after: "calm")
    #expect(commands.count >= 12)
    for (words, command) in commands {
      let example = (command.discussion ?? "").components(separatedBy: "Example:").dropFirst().joined()
      #expect(example.contains(words), "\(words) --help")
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
