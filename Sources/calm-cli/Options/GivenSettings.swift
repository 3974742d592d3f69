import ArgumentParser
import CALMSupport
import CALMTerminal
import Foundation

/// The settings of `calm train …` that somebody gave, on the command line or in a file, and what is wrong with them.
///
/// A name that is not known is told with the nearest one, and is read as that: what else is wrong shall be told too.
struct GivenSettings {
  /// A setting that was given.
  struct Entry {
    /// The setting's name: `learning_rate`.
    let name: String
    /// What messages call it: `--learning-rate`, or in a file `'learning_rate'`.
    let title: String
    /// What to begin a message about its value with.
    let place: String
    /// The arguments that give it.
    let arguments: [String]
  }

  /// What was given, in its order.
  private(set) var entries: [Entry] = []
  /// What is wrong, each in words that name the setting.
  private(set) var problems: [String] = []

  /// Options that tell a command what to do rather than how to train: no file has them.
  private static let reserved: Set = ["config", "resume", "print_settings"]
  /// Second names of options, which experiment files use.
  private static let synonyms = ["batch": "batch_size", "max_steps": "steps"]
  /// What may be said of a run that goes on.
  private static let changeable = Set([
    "config", "resume", "print_settings", "json", "steps", "max_tokens", "max_time", "threads",
  ]).union(ProcessOptions.declaredSettings.map(\.name))

  /// No settings.
  init() {}

  // MARK: The command line

  /// Reads the arguments of a command as its parser would.
  init(line arguments: [String], of command: any ParsableCommand.Type) {
    let words = Self.words(ofLine: command)
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      guard argument.hasPrefix("--"), argument != "--" else {
        problems.append("'\(argument)' belongs to no option")
        continue
      }
      let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let word = parts.first.map(String.init) ?? ""
      let isKnown = words[word] != nil
      let key = isKnown ? word : nearestNames(to: word, among: words.keys.sorted()).first
      let setting = key.flatMap { words[$0] }
      var value = parts.count > 1 ? String(parts[1]) : nil
      if value == nil, !(isKnown && setting?.isFlag == true), let next = rest.first, Self.isValue(next) {
        value = next
        rest.removeFirst()
      }
      if !isKnown {
        problems.append("'--\(word)' is no option of this command" + Self.advice(key.map { "--\($0)" }))
      }
      guard let key, let setting else { continue }
      if isKnown && setting.isFlag && value != nil {
        problems.append("'--\(word)' takes no value")
      } else if isKnown && !setting.isFlag && value == nil {
        problems.append("'--\(word)' needs a value")
      } else if setting.isFlag {
        add(setting, title: "--\(key)", place: "", arguments: ["--\(key)"])
      } else if let value {
        add(setting, title: "--\(key)", place: "", arguments: ["--\(key)=\(value)"])
      }
    }
  }

  /// The words for settings on a command line, without the dashes before them.
  private static func words(ofLine command: any ParsableCommand.Type) -> [String: DeclaredSetting] {
    var words = ["json": DeclaredSetting(name: "json", isFlag: true, isList: false)]
    for setting in command.declaredSettings {
      words[setting.option] = setting
      if setting.isFlag && !reserved.contains(setting.name) { words["no-" + setting.option] = setting }
      for (synonym, name) in synonyms where name == setting.name {
        words[synonym.replacingOccurrences(of: "_", with: "-")] = setting
      }
    }
    return words
  }

  /// Whether the parser takes an argument for the value of the option before it.
  private static func isValue(_ argument: String) -> Bool { !argument.hasPrefix("-") || argument == "-" }

  // MARK: Files

  /// Reads a file of settings for a command.
  ///
  /// - Throws: an error of reading.
  init(file path: String, of command: any ParsableCommand.Type) throws {
    guard let members = try SettingsFile.read(URL(fileURLWithPath: path)).object else {
      problems = ["it must be a mapping of settings to values"]
      return
    }
    let declared = command.declaredSettings.filter { !Self.reserved.contains($0.name) }
    let names = declared.map(\.name) + Self.synonyms.keys.sorted()
    for member in members {
      let isKnown = names.contains(member.key)
      let key = isKnown ? member.key : nearestNames(to: member.key, among: names).first
      if !isKnown {
        problems.append("'\(member.key)' is no setting of this command" + Self.advice(key))
      }
      let name = key.map { Self.synonyms[$0] ?? $0 }
      guard let setting = declared.first(where: { $0.name == name }) else { continue }
      if let arguments = Self.arguments(of: setting, member.value) {
        add(setting, title: "'\(member.key)'", place: "'\(member.key)': ", arguments: arguments)
      } else if isKnown {
        problems.append("'\(member.key)' must be \(Self.kind(of: setting))")
      }
    }
  }

  /// A setting as arguments; nil for a value of another type.
  private static func arguments(of setting: DeclaredSetting, _ value: JSONValue) -> [String]? {
    if setting.isFlag { return value.boolean.map { ["--\($0 ? "" : "no-")\(setting.option)"] } }
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
    return values.map { "--\(setting.option)=\($0)" }
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

  // MARK: Both

  private mutating func add(_ setting: DeclaredSetting, title: String, place: String, arguments: [String]) {
    entries.append(Entry(name: setting.name, title: title, place: place, arguments: arguments))
  }

  private static func advice(_ near: String?) -> String { near.map { "; did you mean '\($0)'?" } ?? "" }

  /// Whether a setting is among them.
  func has(_ name: String) -> Bool { entries.contains { $0.name == name } }

  /// The value that an option was given, the last one.
  func value(of name: String) -> String? {
    entries.last { $0.name == name }?.arguments.first.map { String($0.drop { $0 != "=" }.dropFirst()) }
  }

  /// The arguments of all entries but those that others go before.
  func arguments(without others: GivenSettings = GivenSettings()) -> [String] {
    entries.filter { !others.has($0.name) }.flatMap(\.arguments)
  }

  /// Takes out the entries that do not hold for a run that goes on, as a problem.
  mutating func refuseWhatStays() {
    let fixed = entries.filter { !Self.changeable.contains($0.name) }
    if fixed.isEmpty { return }
    entries.removeAll { !Self.changeable.contains($0.name) }
    problems.append(
      "\(fixed.map(\.title).joined(separator: ", ")) cannot be changed in a run that goes on; only --steps, "
        + "--max-tokens, --max-time, --threads and the processes can")
  }

  /// Takes out the entries whose values the parser refuses, as problems.
  mutating func refuseValues(by command: any ParsableCommand.Type) {
    var good: [Entry] = []
    for entry in entries {
      if let failure = SettingsArguments.failure(of: command, with: entry.arguments),
        failure.contains("is invalid for")
      {
        problems.append(entry.place + failure)
      } else {
        good.append(entry)
      }
    }
    entries = good
  }
}
