import ArgumentParser
import CALMTerminal

/// What becomes of the arguments of `calm train …` before the parser reads them.
///
/// Where `--config FILE` names a file of settings, they are put in front of the command's own arguments, as the options
/// that they are named like: the parser reads and checks them like any others. The parser tells the first thing that is
/// wrong; here all unknown names and all values out of bounds are found, in the arguments as in the file, and told
/// together with what the command finds in the rest.
enum SettingsArguments {
  /// Arguments that ask for something else than the command.
  private static let requests: Set = [
    "-h", "--help", "--help-hidden", "--version", "--experimental-dump-help", "--generate-completion-script",
  ]

  /// The arguments, after `train autoencoder`, `train calm` or `train transformer` with those of the file.
  ///
  /// - Throws: ``InputError/settings(file:problems:)`` where something is wrong with the file alone; an error of
  ///   reading; a status, where the arguments are wrong and that has been told.
  static func expanded(_ arguments: [String]) throws -> [String] {
    guard arguments.count > 1, arguments[0] == "train",
      let command = TrainCommand.configuration.subcommands.first(where: {
        $0.configuration.commandName == arguments[1]
      }),
      !arguments.contains(where: { argument in requests.contains(String(argument.prefix { $0 != "=" })) })
    else { return arguments }
    let rest = Array(arguments.dropFirst(2))
    var line = GivenSettings(line: rest, of: command)
    let path = line.value(of: "config")
    var file = try path.map { try GivenSettings(file: $0, of: command) } ?? GivenSettings()
    if line.has("resume") {
      line.refuseWhatStays()
      file.refuseWhatStays()
    }
    let all = file.arguments(without: line) + rest
    if !line.problems.isEmpty || !file.problems.isEmpty || failure(of: command, with: all) != nil {
      line.refuseValues(by: command)
      file.refuseValues(by: command)
    }
    // Where every setting is right by itself, the parser tells what is wrong with them together.
    if line.problems.isEmpty && file.problems.isEmpty { return Array(arguments.prefix(2)) + all }
    let others = failure(of: command, with: file.arguments(without: line) + line.arguments()).map { [$0] } ?? []
    let ofFile = InputError.settings(file: path ?? "", problems: file.problems + (line.problems.isEmpty ? others : []))
    if line.problems.isEmpty { throw ofFile }
    tell(line.problems + (file.problems.isEmpty ? [] : ["\(ofFile)"]) + others, of: command)
    throw ExitCode.validationFailure
  }

  /// What a command's parser has against arguments, in a line; nil where it takes them.
  static func failure(of command: any ParsableCommand.Type, with arguments: [String]) -> String? {
    do {
      _ = try command.parse(arguments)
      return nil
    } catch {
      return command.message(for: error).split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
    }
  }

  /// Tells wrong arguments as the parser does, with the command's usage.
  private static func tell(_ problems: [String], of command: any ParsableCommand.Type) {
    let help = "calm train \(command.configuration.commandName ?? "") --help"
    StandardError.write(
      """
      Error: \(problems.joined(separator: "; "))
      Usage: \(Calm.usageString(for: command))
        See '\(help)' for more information.

      """)
  }
}
