import Foundation

/// A setting without its place in memory: a row of the table from which the command line, files, help and documentation
/// are generated.
public struct SettingDeclaration: Sendable {
  /// A condition under which a setting has an effect: another setting has one of some values.
  public struct Condition: Sendable {
    /// The other setting.
    public let name: String
    /// The values with which the condition holds.
    public let values: [SettingValue]
  }

  /// The name in files, such as `learning_rate`.
  public let name: String
  /// The accepted values.
  public let type: SettingType
  /// One line of help.
  public let help: String
  /// The default in words, if it depends on other settings.
  let derivedDefault: String?
  /// The condition under which the setting has an effect; nil for always.
  public fileprivate(set) var condition: Condition?
  /// Whether the initial model of a run determines the setting.
  public fileprivate(set) var isModelSize = false
  /// Whether the setting may change when a run is resumed.
  public fileprivate(set) var isChangeable = false

  /// The name on the command line, such as `--learning-rate`.
  public var option: String { Self.option(of: name) }

  /// The command-line form of a name.
  static func option(of name: String) -> String { "--" + name.replacingOccurrences(of: "_", with: "-") }
}

/// A setting of `Root`: its declaration, and the property in which it is stored.
public struct Setting<Root>: Sendable {
  /// Name, type and help.
  public private(set) var declaration: SettingDeclaration
  /// Reads the property; nil if it is absent.
  package let get: @Sendable (Root) -> SettingValue?
  /// Writes a value that the type accepts.
  let set: @Sendable (inout Root, SettingValue) -> Void

  /// Declares a setting.
  ///
  /// - Parameters:
  ///   - name: the name in files, in snake_case.
  ///   - path: the property in which the setting is stored.
  ///   - type: the accepted values, all of which convert to `Value`.
  ///   - help: one line, a sentence.
  ///   - derivedDefault: the default in words, if it depends on other settings.
  public init<Value: SettingConvertible>(
    _ name: String, _ path: WritableKeyPath<Root, Value> & Sendable, _ type: SettingType, _ help: String,
    default derivedDefault: String? = nil
  ) {
    declaration = SettingDeclaration(name: name, type: type, help: help, derivedDefault: derivedDefault)
    get = { $0[keyPath: path].settingValue }
    set = { root, value in
      if let converted = Value(settingValue: value) { root[keyPath: path] = converted }
    }
  }

  private init<Inner>(_ setting: Setting<Inner>, at path: WritableKeyPath<Root, Inner> & Sendable) {
    declaration = setting.declaration
    get = { setting.get($0[keyPath: path]) }
    set = { setting.set(&$0[keyPath: path], $1) }
  }

  /// The same setting in a value that contains `Root`.
  func at<Outer>(_ path: WritableKeyPath<Outer, Root> & Sendable) -> Setting<Outer> { Setting<Outer>(self, at: path) }

  /// The setting with the condition that the setting `name` has one of the given values.
  func only(with name: String, _ values: SettingValue...) -> Setting {
    var setting = self
    setting.declaration.condition = .init(name: name, values: values)
    return setting
  }

  /// The setting marked as determined by the initial model of a run.
  package var ofModelSize: Setting {
    var setting = self
    setting.declaration.isModelSize = true
    return setting
  }

  /// The setting marked as one that may change when a run is resumed.
  package var changeable: Setting {
    var setting = self
    setting.declaration.isChangeable = true
    return setting
  }
}

/// A group of settings under a heading.
public struct SettingGroup<Root>: Sendable {
  /// The heading.
  public let title: String
  /// The settings, in the order of the help.
  public let settings: [Setting<Root>]

  /// Creates a group.
  public init(_ title: String, _ settings: [Setting<Root>]) { (self.title, self.settings) = (title, settings) }

  /// The same settings in a value that contains `Root`.
  func at<Outer>(_ path: WritableKeyPath<Outer, Root> & Sendable) -> SettingGroup<Outer> {
    SettingGroup<Outer>(title, settings.map { $0.at(path) })
  }
}
