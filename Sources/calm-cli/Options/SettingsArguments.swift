import ArgumentParser
import Files
import Foundation

/// `--config FILE`: a file of settings stands for the options that it names, where they are not given.
///
/// Its keys are the names of the options with underscores. They are put in front of the command's own arguments, so the
/// parser reads, checks and reports them like any others.
enum SettingsArguments {
  /// Options that tell a command what to do rather than how to train.
  private static let reserved: Set = ["config", "resume", "print_settings"]
  /// Second names of options, which experiment files use.
  private static let synonyms = ["batch": "batch_size", "max_steps": "steps"]

  /// The arguments with those of the file that `--config` names after `train autoencoder`, `train calm` or
  /// `train transformer`; without that option as they are.
  ///
  /// - Throws: ``InputError/settings(file:problems:)`` with everything that is wrong in the file, or an error of reading.
  static func expanded(_ arguments: [String]) throws -> [String] {
    guard arguments.count > 2, arguments[0] == "train",
      let command = TrainCommand.configuration.subcommands.first(where: {
        $0.configuration.commandName == arguments[1]
      }),
      let path = value(of: "--config", in: arguments)
    else { return arguments }
    let (file, rest) = (try SettingsFile.read(URL(fileURLWithPath: path)), arguments.dropFirst(2))
    let given = Set(rest.compactMap(settingName))
    guard let members = file.object else {
      throw InputError.settings(file: path, problems: ["it must be a mapping of settings to values"])
    }
    let declared = command.declaredSettings.filter { !reserved.contains($0.name) }
    let names = declared.map(\.name) + Array(synonyms.keys)
    var (found, problems): ([String], [String]) = ([], [])
    for member in members {
      let name = synonyms[member.key] ?? member.key
      guard let setting = declared.first(where: { $0.name == name }) else {
        let near = nearest(to: member.key, among: names).first.map { "; did you mean '\($0)'?" } ?? ""
        problems.append("'\(member.key)' is no setting of this command\(near)")
        continue
      }
      guard let arguments = Self.arguments(of: setting, member.value) else {
        problems.append("'\(member.key)' must be \(kind(of: setting))")
        continue
      }
      if let problem = problem(of: command, with: arguments) { problems.append("'\(member.key)': \(problem)") }
      if !given.contains(name) { found += arguments }
    }
    if !problems.isEmpty { throw InputError.settings(file: path, problems: problems) }
    return Array(arguments.prefix(2)) + found + Array(rest)
  }

  /// The value that an option has among arguments.
  private static func value(of option: String, in arguments: [String]) -> String? {
    for (index, argument) in arguments.enumerated() {
      if argument == option, index + 1 < arguments.count { return arguments[index + 1] }
      if argument.hasPrefix(option + "=") { return String(argument.dropFirst(option.count + 1)) }
    }
    return nil
  }

  /// The setting that an argument such as `--learning-rate=0.1` or `--no-plain` is about.
  private static func settingName(_ argument: String) -> String? {
    guard argument.hasPrefix("--") else { return nil }
    var name = argument.dropFirst(2).prefix { $0 != "=" }
    if name.hasPrefix("no-") { name = name.dropFirst(3) }
    let key = name.replacingOccurrences(of: "-", with: "_")
    return synonyms[key] ?? key
  }

  /// A setting as arguments; nil for a value of another type.
  private static func arguments(of setting: DeclaredSetting, _ value: JSONValue) -> [String]? {
    let option = setting.name.replacingOccurrences(of: "_", with: "-")
    if setting.isFlag { return value.boolean.map { ["--\($0 ? "" : "no-")\(option)"] } }
    var values: [String] = []
    switch value {
    case .array(let list) where setting.isList:
      for entry in list {
        guard let word = word(entry) else { return nil }
        values.append(word)
      }
    case .object(let members) where setting.isList:
      for member in members {
        guard let weight = word(member.value) else { return nil }
        values.append("\(member.key):\(weight)")
      }
    default:
      guard let word = word(value) else { return nil }
      values = [word]
    }
    return values.map { "--\(option)=\($0)" }
  }

  private static func word(_ value: JSONValue) -> String? {
    switch value {
    case .integer(let number): "\(number)"
    case .number(let number): "\(number)"
    case .string(let text): text
    default: nil
    }
  }

  private static func kind(of setting: DeclaredSetting) -> String {
    if setting.isFlag { return "true or false" }
    return setting.isList ? "a text, a list of texts, or a mapping of texts to weights" : "a number or a text"
  }

  /// What the parser has against a value, apart from what may be missing or contradict it.
  private static func problem(of command: any ParsableCommand.Type, with arguments: [String]) -> String? {
    do {
      _ = try command.parse(arguments)
      return nil
    } catch {
      let message = command.message(for: error)
      guard message.contains("is invalid for") || message.contains("Unknown option") else { return nil }
      return message.split(whereSeparator: \.isNewline).first.map(String.init)
    }
  }
}
