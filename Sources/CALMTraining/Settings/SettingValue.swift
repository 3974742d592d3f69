import CALMSupport

/// The value of a setting as command lines and files write it.
public enum SettingValue: Hashable, Sendable {
  /// A whole number.
  case integer(Int)
  /// Any number.
  case number(Double)
  /// True or false.
  case flag(Bool)
  /// A word or a path.
  case text(String)
  /// Several texts.
  case list([String])
}

extension SettingValue: CustomStringConvertible {
  /// The value as a command line writes it.
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

  /// The value as JSON, and so as YAML.
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

/// A type of Swift whose values a setting can have.
public protocol SettingConvertible: Sendable {
  /// The value that `value` stands for; nil where it is of another type.
  init?(settingValue value: SettingValue)
  /// The value of the setting; nil where it is absent.
  var settingValue: SettingValue? { get }
}

extension Int: SettingConvertible {
  /// A whole number.
  public init?(settingValue value: SettingValue) {
    guard case .integer(let number) = value else { return nil }
    self = number
  }

  /// The number.
  public var settingValue: SettingValue? { .integer(self) }
}

extension UInt64: SettingConvertible {
  /// A whole number that is not negative.
  public init?(settingValue value: SettingValue) {
    guard case .integer(let number) = value, number >= 0 else { return nil }
    self = UInt64(number)
  }

  /// The number.
  public var settingValue: SettingValue? { .integer(Int(clamping: self)) }
}

extension Double: SettingConvertible {
  /// A number.
  public init?(settingValue value: SettingValue) {
    guard case .number(let number) = value else { return nil }
    self = number
  }

  /// The number.
  public var settingValue: SettingValue? { .number(self) }
}

extension Bool: SettingConvertible {
  /// True or false.
  public init?(settingValue value: SettingValue) {
    guard case .flag(let flag) = value else { return nil }
    self = flag
  }

  /// The flag.
  public var settingValue: SettingValue? { .flag(self) }
}

extension String: SettingConvertible {
  /// A text.
  public init?(settingValue value: SettingValue) {
    guard case .text(let text) = value else { return nil }
    self = text
  }

  /// The text.
  public var settingValue: SettingValue? { .text(self) }
}

extension Optional: SettingConvertible where Wrapped: SettingConvertible {
  /// A value that is present.
  public init?(settingValue value: SettingValue) {
    guard let wrapped = Wrapped(settingValue: value) else { return nil }
    self = wrapped
  }

  /// The value, where there is one.
  public var settingValue: SettingValue? { self?.settingValue }
}

extension SettingConvertible where Self: RawRepresentable<String> {
  /// One of a few words.
  public init?(settingValue value: SettingValue) {
    guard case .text(let word) = value else { return nil }
    self.init(rawValue: word)
  }

  /// The word.
  public var settingValue: SettingValue? { .text(rawValue) }
}
