import Foundation

/// The description of a command that the program prints.
struct CommandDescription: Decodable {
  /// An option, a flag or a positional argument.
  struct Argument: Decodable {
    struct Name: Decodable {
      let kind: String
      let name: String
    }

    let kind: String
    let names: [Name]?
  }

  let commandName: String
  let discussion: String?
  let arguments: [Argument]?
  let subcommands: [CommandDescription]?

  /// All commands, including those with subcommands, each with the words that run it.
  static func all() throws -> [(words: String, command: CommandDescription)] {
    struct Dump: Decodable { let command: CommandDescription }
    let dump = try Command.run(["--experimental-dump-help"])
    return try JSONDecoder().decode(Dump.self, from: dump.output).command.all(after: "calm").map { words, command in
      words.hasPrefix("calm train ") ? (words, try command.withSettings(of: words)) : (words, command)
    }
  }

  /// The command with the settings that its help lists.
  private func withSettings(of words: String) throws -> CommandDescription {
    let help = try Command.run(words.split(separator: " ").dropFirst().map(String.init) + ["--help"]).text
    let own = Set(options.map(\.name))
    let settings = help.split(separator: "\n").filter { $0.hasPrefix("  --") }.flatMap { line -> [Argument] in
      let label = line.split(separator: " ")
      let names = label[0].split(separator: "/").map(String.init).filter { !own.contains($0) }
      let kind = label.count > 1 && label[1].hasPrefix("<") ? "option" : "flag"
      return names.map { Argument(kind: kind, names: [.init(kind: "long", name: String($0.dropFirst(2)))]) }
    }
    return CommandDescription(
      commandName: commandName, discussion: discussion, arguments: (arguments ?? []) + settings, subcommands: nil)
  }

  /// This command's subcommands at all depths, each with the words that run it.
  private func all(after words: String) -> [(words: String, command: CommandDescription)] {
    (subcommands ?? []).filter { $0.commandName != "help" }.flatMap { command in
      let words = words + " " + command.commandName
      return [(words, command)] + command.all(after: words)
    }
  }

  /// The long names of the command's options and flags, with dashes.
  var options: [(name: String, isFlag: Bool)] {
    (arguments ?? []).flatMap { argument in
      (argument.names ?? []).filter { $0.kind == "long" && $0.name != "help" && $0.name != "version" }
        .map { ("--" + $0.name, argument.kind == "flag") }
    }
  }
}
