import Foundation
import Testing

@Suite("Help")
struct HelpTests {
  @Test("every command has an example that calls it")
  func examples() throws {
    let commands = try CommandDescription.all()
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
