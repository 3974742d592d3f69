import Foundation
import Testing

@Suite("Help")
struct HelpTests {
  @Test("Every command has an example that runs it")
  func examples() throws {
    let commands = try CommandDescription.all()
    #expect(commands.count >= 12)
    for (words, command) in commands {
      let example = (command.discussion ?? "").components(separatedBy: "Example:").dropFirst().joined()
      #expect(example.contains(words), "\(words) --help")
    }
  }

  @Test("The program without arguments shows the usual steps, and --version prints its version")
  func root() throws {
    let help = try Command.run([])
    #expect(help.text.contains("calm demo"))
    let version = try Command.run(["--version"]).text
    #expect(version.split(separator: ".").count == 3)
  }
}
