import CALMSupport

/// The value of a setting, in the types that command lines and files can express.
public enum SettingValue: Hashable, Sendable {
  /// A whole number.
  case integer(Int)
  /// Any number.
  case number(Double)
  /// True or false.
  case flag(Bool)
  /// A word or a path.
  case text(String)
  /// A list of strings.
  case list([String])
}

extension SettingValue: CustomStringConvertible {
  /// The value in the syntax of a command line.
  public var description: String {
    switch self {
    case .integer(let value): "\(value)"
    case .number(let value):
      value == value.rounded() && abs(value) < 1e6 ? "\(Int(value))" : "\(value)"
    case .flag(let value): "\(value)"
    case .text(let value): value
    case .list(let values): values.joined(separator: " ")
    }
  }

  /// The value as JSON, which is also YAML.
  package var json: JSONValue {
    switch self {
    case .integer(let value): .integer(value)
    case .number(let value): .number(value)
    case .flag(let value): .bool(value)
    case .text(let value): .string(value)
    case .list(let values): .array(values.map { .string($0) })
    }
  }
}

/// A Swift type that can store the value of a setting.
public protocol SettingConvertible: Sendable {
  /// Converts the value of a setting; nil if it has a different type.
  init?(settingValue value: SettingValue)
  /// Converts to a setting's value; nil if it is absent.
  var settingValue: SettingValue? { get }
}

extension Int: SettingConvertible {
  /// Converts a whole number.
  public init?(settingValue value: SettingValue) {
    guard case .integer(let number) = value else { return nil }
    self = number
  }

  /// The number as a setting's value.
  public var settingValue: SettingValue? { .integer(self) }
}

extension UInt64: SettingConvertible {
  /// Converts a non-negative whole number.
  public init?(settingValue value: SettingValue) {
    guard case .integer(let number) = value, number >= 0 else { return nil }
    self = UInt64(number)
  }

  /// The number as a setting's value.
  public var settingValue: SettingValue? { .integer(Int(clamping: self)) }
}

extension Double: SettingConvertible {
  /// Converts a number.
  public init?(settingValue value: SettingValue) {
    guard case .number(let number) = value else { return nil }
    self = number
  }

  /// The number as a setting's value.
  public var settingValue: SettingValue? { .number(self) }
}

extension Bool: SettingConvertible {
  /// Converts true or false.
  public init?(settingValue value: SettingValue) {
    guard case .flag(let flag) = value else { return nil }
    self = flag
  }

  /// The flag as a setting's value.
  public var settingValue: SettingValue? { .flag(self) }
}

extension String: SettingConvertible {
  /// Converts a string.
  public init?(settingValue value: SettingValue) {
    guard case .text(let text) = value else { return nil }
    self = text
  }

  /// The string as a setting's value.
  public var settingValue: SettingValue? { .text(self) }
}

extension Optional: SettingConvertible where Wrapped: SettingConvertible {
  /// Converts a value that is present.
  public init?(settingValue value: SettingValue) {
    guard let wrapped = Wrapped(settingValue: value) else { return nil }
    self = wrapped
  }

  /// The wrapped value as a setting's value; nil if there is none.
  public var settingValue: SettingValue? { self?.settingValue }
}

extension SettingConvertible where Self: RawRepresentable<String> {
  /// Converts one of the raw values.
  public init?(settingValue value: SettingValue) {
    guard case .text(let word) = value else { return nil }
    self.init(rawValue: word)
  }

  /// The raw value as a setting's value.
  public var settingValue: SettingValue? { .text(rawValue) }
}
