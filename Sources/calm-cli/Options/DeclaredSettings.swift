import ArgumentParser
import CALMTerminal
import Foundation

/// A setting of a command as its options declare it: what a settings file may say.
struct DeclaredSetting {
  /// The name in a file, the option's with underscores: `learning_rate`.
  let name: String
  /// Whether it is true or false.
  let isFlag: Bool
  /// Whether a list of values is allowed.
  let isList: Bool

  /// The name on the command line, without dashes before it: `learning-rate`.
  var option: String { name.replacingOccurrences(of: "_", with: "-") }
}

extension ParsableArguments {
  /// The settings that the properties of this type and of its option groups declare.
  ///
  /// The declarations are the one table of settings: names, types, bounds and help stand there and nowhere else. A
  /// property is named like its option.
  static var declaredSettings: [DeclaredSetting] {
    Mirror(reflecting: Self()).children.flatMap { child -> [DeclaredSetting] in
      switch child.value {
      case let group as any SettingGroup: return group.settings
      case let option as any SettingOption:
        guard let label = child.label else { return [] }
        return [DeclaredSetting(name: snakeCase(label), isFlag: option.isFlag, isList: option.isList)]
      default: return []
      }
    }
  }
}

/// `_learningRate` as `learning_rate`.
private func snakeCase(_ label: String) -> String {
  label.drop { $0 == "_" }.map { $0.isUppercase ? "_" + $0.lowercased() : String($0) }.joined()
}

private protocol SettingOption {
  var isFlag: Bool { get }
  var isList: Bool { get }
}

private protocol SettingGroup {
  var settings: [DeclaredSetting] { get }
}

extension Option: SettingOption {
  fileprivate var isFlag: Bool { false }
  fileprivate var isList: Bool { Value.self is any Collection.Type && Value.self != String.self }
}

extension Flag: SettingOption {
  fileprivate var isFlag: Bool { true }
  fileprivate var isList: Bool { false }
}

extension OptionGroup: SettingGroup {
  /// What a command prints is no setting of a training.
  fileprivate var settings: [DeclaredSetting] { Value.self == ReportOptions.self ? [] : Value.declaredSettings }
}
