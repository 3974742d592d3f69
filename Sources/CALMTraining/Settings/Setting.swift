import Foundation

/// What can be said about a setting without its place in memory: the row of the table that the command line, files,
/// help and documentation share.
public struct SettingDeclaration: Sendable {
  /// The values of another setting with which a setting has an effect.
  public struct Condition: Sendable {
    /// The other setting.
    public let name: String
    /// Its values.
    public let values: [SettingValue]
  }

  /// The name in files, such as `learning_rate`.
  public let name: String
  /// The values it accepts.
  public let type: SettingType
  /// One line of help.
  public let help: String
  /// The default in words, where it follows from other settings.
  let derivedDefault: String?
  /// The condition under which it has an effect; nil for always.
  public fileprivate(set) var condition: Condition?
  /// Whether the model that a run is initialized from determines it.
  public fileprivate(set) var isModelSize = false
  /// Whether it may be changed when a run is resumed.
  public fileprivate(set) var isChangeable = false

  /// The name on the command line, such as `--learning-rate`.
  public var option: String { Self.option(of: name) }

  /// The command-line form of a name.
  static func option(of name: String) -> String { "--" + name.replacingOccurrences(of: "_", with: "-") }
}

/// A setting of `Root`: its declaration, and the property that holds it.
public struct Setting<Root>: Sendable {
  /// Name, type and help.
  public private(set) var declaration: SettingDeclaration
  /// Reads the property; nil where it is absent.
  package let get: @Sendable (Root) -> SettingValue?
  /// Writes a value that the type accepts.
  let set: @Sendable (inout Root, SettingValue) -> Void

  /// Declares a setting.
  ///
  /// - Parameters:
  ///   - name: the name in files, in snake_case.
  ///   - path: the property that holds it.
  ///   - type: the values it accepts, all of which convert to `Value`.
  ///   - help: one line, a sentence.
  ///   - derivedDefault: the default in words, where it follows from other settings.
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

  /// The same setting of a value that contains `Root`.
  func at<Outer>(_ path: WritableKeyPath<Outer, Root> & Sendable) -> Setting<Outer> { Setting<Outer>(self, at: path) }

  /// The setting with an effect only where the setting `name` has one of some values.
  func only(with name: String, _ values: SettingValue...) -> Setting {
    var setting = self
    setting.declaration.condition = .init(name: name, values: values)
    return setting
  }

  /// A setting that the model determines which a run is initialized from.
  package var ofModelSize: Setting {
    var setting = self
    setting.declaration.isModelSize = true
    return setting
  }

  /// A setting that may be changed when a run is resumed.
  package var changeable: Setting {
    var setting = self
    setting.declaration.isChangeable = true
    return setting
  }
}

/// Settings under a heading.
public struct SettingGroup<Root>: Sendable {
  /// The heading.
  public let title: String
  /// The settings, in the order of the help.
  public let settings: [Setting<Root>]

  /// A group.
  public init(_ title: String, _ settings: [Setting<Root>]) { (self.title, self.settings) = (title, settings) }

  /// The same settings of a value that contains `Root`.
  func at<Outer>(_ path: WritableKeyPath<Outer, Root> & Sendable) -> SettingGroup<Outer> {
    SettingGroup<Outer>(title, settings.map { $0.at(path) })
  }
}
