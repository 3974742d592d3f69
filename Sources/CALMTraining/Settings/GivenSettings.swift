import CALMSupport
import Foundation

/// Settings given on a command line or in a file, with the errors found in them.
///
/// A misspelled name is an error that suggests the nearest name. Its value is then read as that of the nearest name, so
/// that all errors are reported at once.
public struct GivenSettings: Sendable {
  /// Where a setting was given.
  private struct Entry {
    var value: SettingValue
    /// The setting's name in messages, as it was given: `--no-tie-embeddings`, `'tie_embeddings'`.
    let title: String
    let isInFile: Bool
  }

  private var entries: [String: Entry] = [:]
  /// Whether messages refer to settings that were not given by their keys in a file, rather than by their options.
  private let isFromFile: Bool
  /// The errors, each a phrase that names the setting.
  public private(set) var faults: [String] = []
  /// The titles of settings that cannot change when a run is resumed.
  private var fixed: [String] = []

  /// Creates an empty list.
  ///
  /// - Parameter isFromFile: whether messages refer to settings by their keys in a file, rather than by their options.
  public init(isFromFile: Bool = false) { self.isFromFile = isFromFile }

  /// Whether a setting was given.
  public func has(_ name: String) -> Bool { entries[name] != nil }

  /// The value of a setting; nil if it was not given.
  public subscript(name: String) -> SettingValue? { entries[name]?.value }

  /// The value of a setting as a Swift type; nil if it was not given.
  public func value<Value: SettingConvertible>(of name: String, as type: Value.Type = Value.self) -> Value? {
    self[name].flatMap { Value(settingValue: $0) }
  }

  /// Whether a setting was given on a command line.
  public func isOnCommandLine(_ name: String) -> Bool { entries[name].map { !$0.isInFile } ?? false }

  /// The names of all settings that were given.
  public var names: [String] { entries.keys.sorted() }

  /// The name of a setting in messages: as it was given, or as it could be given.
  public func title(of name: String) -> String {
    entries[name]?.title ?? (isFromFile ? "'\(name)'" : SettingDeclaration.option(of: name))
  }

  /// A setting with a value, as it was or could be given: `--head flow`, `'head' flow`, `--no-variational`.
  func phrase(_ name: String, _ value: SettingValue) -> String {
    let isInFile = entries[name]?.isInFile ?? isFromFile
    if !isInFile, case .flag(let flag) = value {
      let option = SettingDeclaration.option(of: name)
      return flag ? option : "--no-" + option.dropFirst(2)
    }
    return "\(isInFile ? "'\(name)'" : SettingDeclaration.option(of: name)) \(value)"
  }

  /// Merges two lists; these settings take precedence over `other`.
  ///
  /// - Parameter place: the prefix for the errors of `other`, such as the path of a file.
  public func over(_ other: GivenSettings, faultsIn place: String) -> GivenSettings {
    var merged = self
    merged.entries.merge(other.entries) { own, _ in own }
    if !other.faults.isEmpty { merged.faults.append("\(place): \(other.faults.joined(separator: "; "))") }
    return merged
  }

  private mutating func add(_ value: SettingValue, to name: String, title: String, isInFile: Bool) {
    if case .list(let more) = value, case .list(let before)? = self[name] {
      entries[name]?.value = .list(before + more)
    } else {
      entries[name] = Entry(value: value, title: title, isInFile: isInFile)
    }
  }

  private static func suggestion(_ nearest: String?) -> String { nearest.map { "; did you mean '\($0)'?" } ?? "" }
}

// MARK: - Command lines

extension GivenSettings {
  /// Reads arguments: `--name value`, `--name=value`, `--flag` and `--no-flag`.
  ///
  /// - Parameters:
  ///   - isResumed: whether they are for a resumed run, in which most settings cannot change.
  ///   - otherOptions: options that are not settings, such as `--json`, for suggestions.
  public init(
    arguments: [String], of declarations: [SettingDeclaration], isResumed: Bool = false, otherOptions: [String] = []
  ) {
    self.init()
    var options: [String: (setting: SettingDeclaration, flag: Bool)] = [:]
    for declaration in declarations {
      options[declaration.option] = (declaration, true)
      if declaration.type.isFlag { options["--no-" + declaration.option.dropFirst(2)] = (declaration, false) }
    }
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      guard argument.hasPrefix("--"), argument != "--" else {
        faults.append("'\(argument)' does not belong to an option")
        continue
      }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let isKnown = options[parts[0]] != nil
      let option = isKnown ? parts[0] : nearestNames(to: parts[0], among: options.keys.sorted() + otherOptions).first
      let match = option.flatMap { options[$0] }
      var text = parts.count > 1 ? parts[1] : nil
      if text == nil, !(isKnown && match?.setting.type.isFlag == true), let next = rest.first, Self.isValue(next) {
        text = next
        rest.removeFirst()
      }
      if !isKnown {
        faults.append("'\(parts[0])' is not an option of this command" + Self.suggestion(option))
      }
      guard let option, let match else { continue }
      if isResumed && !match.setting.isChangeable {
        fixed.append(option)
      } else {
        read(text, option, of: match.setting, flag: match.flag, isMisspelled: !isKnown)
      }
    }
    reportFixed(of: declarations)
  }

  /// Reports the given settings that a resumed run cannot change.
  private mutating func reportFixed(of declarations: [SettingDeclaration]) {
    if fixed.isEmpty { return }
    let changeable = declarations.filter(\.isChangeable).map(\.option).joined(separator: ", ")
    faults.append(
      "\(fixed.joined(separator: ", ")) cannot be changed when a run is resumed; only \(changeable) can")
  }

  private mutating func read(
    _ text: String?, _ option: String, of setting: SettingDeclaration, flag: Bool, isMisspelled: Bool
  ) {
    if setting.type.isFlag {
      if text != nil && !isMisspelled { faults.append("'\(option)' takes no value") }
      return add(.flag(flag), to: setting.name, title: option, isInFile: false)
    }
    guard let text else {
      if !isMisspelled { faults.append("'\(option)' needs a value") }
      return
    }
    guard let value = setting.type.value(of: text) else {
      faults.append("\(option) must be \(setting.type.requirement), not '\(text)'")
      return
    }
    add(value, to: setting.name, title: option, isInFile: false)
  }

  /// Whether an argument is the value of the option before it. A negative number is, so that its error is about the
  /// range.
  private static func isValue(_ argument: String) -> Bool {
    !argument.hasPrefix("-") || argument == "-" || Double(argument) != nil
  }
}

// MARK: - Files

extension GivenSettings {
  /// Reads a YAML or JSON file of settings, or the `settings` of a `run.json`.
  ///
  /// - Parameters:
  ///   - kind: the kind of model that the settings are for.
  ///   - isResumed: whether they are for a resumed run, in which most settings cannot change.
  /// - Throws: an error of reading.
  package init(
    file path: String, of declarations: [SettingDeclaration], kind: ModelKind, isResumed: Bool = false
  ) throws {
    var content = try SettingsFile.read(URL(fileURLWithPath: path))
    var otherKind: String?
    if let settings = content["settings"], let stored = content["kind"]?.string {
      otherKind = stored == kind.rawValue ? nil : stored
      content = settings
    }
    if let members = content.object {
      self.init(members: members, of: declarations, isResumed: isResumed)
    } else {
      self.init(isFromFile: true)
      faults = ["must be a mapping of settings to values"]
    }
    if let otherKind { faults = ["contains settings for '\(otherKind)', not for '\(kind.rawValue)'"] }
  }

  /// Reads the members of an object of settings.
  ///
  /// - Parameters:
  ///   - isResumed: whether they are for a resumed run, in which most settings cannot change.
  ///   - place: the object within its file, if the file contains several.
  ///   - checksRange: whether to refuse numbers out of range.
  package init(
    members: [JSONValue.Member], of declarations: [SettingDeclaration], isResumed: Bool = false,
    in place: String? = nil, checksRange: Bool = true
  ) {
    self.init(isFromFile: true)
    let names = declarations.map(\.name)
    for member in members {
      let isKnown = names.contains(member.key)
      let name = isKnown ? member.key : nearestNames(to: member.key, among: names).first
      if !isKnown {
        faults.append("'\(member.key)' is not a setting of \(place ?? "this command")" + Self.suggestion(name))
      }
      guard let setting = declarations.first(where: { $0.name == name }) else { continue }
      if isResumed && !setting.isChangeable {
        fixed.append("'\(member.key)'")
      } else if has(setting.name) {
        faults.append("'\(member.key)' is given twice")
      } else if let value = setting.type.value(of: member.value, checksRange: checksRange) {
        add(value, to: setting.name, title: "'\(member.key)'", isInFile: true)
      } else {
        faults.append("'\(member.key)' must be \(setting.type.requirement), not \(Self.word(member.value))")
      }
    }
    reportFixed(of: declarations)
  }

  private static func word(_ value: JSONValue) -> String {
    value.string.map { "'\($0)'" } ?? value.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }
}
