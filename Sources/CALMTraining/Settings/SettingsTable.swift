import CALMSupport

/// A type whose properties are settings: the table of its settings, and reading and writing them by name.
public protocol SettingsTable: Sendable {
  /// The settings, under their headings.
  static var groups: [SettingGroup<Self>] { get }
  /// The defaults.
  init()
}

extension SettingsTable {
  static var settings: [Setting<Self>] { groups.flatMap(\.settings) }

  /// The settings without their places in memory.
  public static var declarations: [SettingDeclaration] { settings.map(\.declaration) }

  /// The value of a setting; nil where it is absent.
  subscript(name: String) -> SettingValue? {
    Self.settings.first { $0.declaration.name == name }?.get(self)
  }

  /// The settings that have a value and an effect, in the order of the table.
  public var values: [(name: String, value: SettingValue)] {
    Self.settings.compactMap { setting in
      guard hasEffect(setting.declaration), let value = setting.get(self) else { return nil }
      return (setting.declaration.name, value)
    }
  }

  /// The values as an object that a file of settings may contain.
  package var json: JSONValue { .object(values.map { JSONValue.Member(key: $0.name, value: $0.value.json) }) }

  /// Takes over the given settings that `isIncluded` names.
  public mutating func apply(_ given: GivenSettings, where isIncluded: (SettingDeclaration) -> Bool = { _ in true }) {
    for setting in Self.settings where isIncluded(setting.declaration) {
      if let value = given[setting.declaration.name] { setting.set(&self, value) }
    }
  }

  /// Whether the condition of a setting holds.
  func hasEffect(_ declaration: SettingDeclaration) -> Bool {
    declaration.condition.map { self[$0.name] == $0.value } ?? true
  }

  /// A fault for each given setting that has no effect with the others.
  func faultsWithoutEffect(_ given: GivenSettings) -> [String] {
    Self.declarations.filter { given.has($0.name) && !hasEffect($0) }.compactMap { declaration in
      guard let other = declaration.condition?.name, let actual = self[other] else { return nil }
      return "\(given.title(of: declaration.name)) has no effect with \(given.phrase(other, actual)); leave it out"
    }
  }
}
