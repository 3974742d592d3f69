import CALMSupport

/// A type whose properties are settings: the table of its settings, and reading and writing them by name.
public protocol SettingsTable: Sendable {
  /// The settings, under their headings.
  static var groups: [SettingGroup<Self>] { get }
  /// The defaults.
  init()
}

extension SettingsTable {
  package static var settings: [Setting<Self>] { groups.flatMap(\.settings) }

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
    declaration.condition.map { condition in condition.values.contains { self[condition.name] == $0 } } ?? true
  }

  /// A fault for the given settings that have no effect with the value of another one.
  func faultsWithoutEffect(_ given: GivenSettings) -> [String] {
    let idle = Self.declarations.filter { given.has($0.name) && !hasEffect($0) }
    let byCondition = Dictionary(grouping: idle) { $0.condition?.name ?? "" }.sorted { $0.key < $1.key }
    return byCondition.compactMap { other, idle in
      guard let actual = self[other] else { return nil }
      let names = idle.map { given.title(of: $0.name) }.joined(separator: ", ")
      let (verb, pronoun) = idle.count == 1 ? ("has", "it") : ("have", "them")
      return "\(names) \(verb) no effect with \(given.phrase(other, actual)); leave \(pronoun) out"
    }
  }
}
