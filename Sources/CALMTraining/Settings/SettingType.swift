import CALM
import CALMSupport

/// The values that a setting accepts, and how command lines and files write them.
public enum SettingType: Sendable {
  /// A whole number of a range.
  case integer(ClosedRange<Int>)
  /// A number of a range.
  case number(NumberRange)
  /// True or false: `--name` and `--no-name` on a command line.
  case flag
  /// One of a few words.
  case choice([String])
  /// A time such as `90s`, `30m`, `8h` or `1h30m`, or a number of seconds.
  case duration
  /// A text: a word for it, such as `path`.
  case text(String)
  /// Folders of prepared data, each with an optional weight: `folder:0.7`. A file may map folders to weights.
  case corpora

  /// A whole number of 1 or more.
  public static let count = integer(1...Int.max)
  /// A whole number of 0 or more.
  public static let countOrZero = integer(0...Int.max)

  /// One of the cases of a type.
  public static func choice<Word: RawRepresentable<String> & CaseIterable>(of type: Word.Type) -> SettingType {
    .choice(type.allCases.map(\.rawValue))
  }

  /// The accepted values, as a phrase after "must be".
  public var requirement: String {
    switch self {
    case .integer(let range) where range.upperBound == .max: "a whole number, \(range.lowerBound) or more"
    case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .number(let range): "a number \(range)"
    case .flag: "true or false"
    case .choice(let words): "one of \(words.joined(separator: ", "))"
    case .duration: "a time above 0, such as 90s, 30m, 8h or 1h30m"
    case .text(let noun): "a \(noun)"
    case .corpora: "a folder, or several with weights above 0"
    }
  }

  /// What the help calls a value: `<n>`.
  var placeholder: String? {
    switch self {
    case .integer: "n"
    case .number: "x"
    case .flag: nil
    case .choice: "name"
    case .duration: "time"
    case .text(let noun): noun
    case .corpora: "folder[:weight]"
    }
  }

  /// Whether it is true or false.
  var isFlag: Bool { if case .flag = self { true } else { false } }

  /// Reads the argument after an option; nil where it is not accepted.
  func value(of argument: String) -> SettingValue? {
    switch self {
    case .integer: Int(argument).flatMap { accepted(.integer($0)) }
    case .number: Double(argument).flatMap { accepted(.number($0)) }
    case .flag: nil
    case .choice: accepted(.text(argument))
    case .duration: Self.seconds(argument).map { .number($0) }
    case .text: argument.isEmpty ? nil : .text(argument)
    case .corpora: Self.list([argument])
    }
  }

  /// Reads the value of a member of a file; nil where it is not accepted.
  ///
  /// - Parameter checksRange: whether numbers out of range are refused. A program may go beyond the ranges for people.
  package func value(of member: JSONValue, checksRange: Bool = true) -> SettingValue? {
    switch (self, member) {
    case (.integer, .integer(let number)): checksRange ? accepted(.integer(number)) : .integer(number)
    case (.number, .integer(let number)): value(of: .number(Double(number)), checksRange: checksRange)
    case (.number, .number(let number)): checksRange ? accepted(.number(number)) : .number(number)
    case (.flag, .bool(let flag)): .flag(flag)
    case (.choice, .string(let text)), (.text, .string(let text)), (.corpora, .string(let text)),
      (.duration, .string(let text)):
      value(of: text)
    case (.duration, .integer(let number)): number > 0 ? .number(Double(number)) : nil
    case (.duration, .number(let number)): number > 0 ? .number(number) : nil
    case (.corpora, .array(let entries)): Self.list(entries.map(\.string))
    case (.corpora, .object(let members)):
      Self.list(members.map { member in Self.number(member.value).map { "\(member.key):\($0)" } })
    default: nil
    }
  }

  private func accepted(_ value: SettingValue) -> SettingValue? {
    switch (self, value) {
    case (.integer(let range), .integer(let number)): range.contains(number) ? value : nil
    case (.number(let range), .number(let number)): range.contains(number) ? value : nil
    case (.choice(let words), .text(let word)): words.contains(word) ? value : nil
    default: nil
    }
  }

  private static func list(_ entries: [String?]) -> SettingValue? {
    let texts = entries.compactMap { $0 }
    let isCorpora = texts.allSatisfy { text in (try? Corpus(parsing: text)).map { !$0.path.isEmpty } ?? false }
    return isCorpora && texts.count == entries.count && !texts.isEmpty ? .list(texts) : nil
  }

  private static func number(_ value: JSONValue) -> Double? {
    switch value {
    case .integer(let number): Double(number)
    case .number(let number): number
    default: nil
    }
  }

  /// The seconds of `90`, `90s`, `30m`, `8h`, `2d` or `1h30m`.
  private static func seconds(_ text: String) -> Double? {
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
    var (seconds, digits) = (0.0, "")
    for character in text + (text.last?.isLetter == true ? "" : "s") {
      if character.isNumber || character == "." {
        digits.append(character)
      } else if let unit = units[character], let value = Double(digits) {
        (seconds, digits) = (seconds + value * unit, "")
      } else {
        return nil
      }
    }
    return seconds > 0 ? seconds : nil
  }
}

/// A range of numbers, each end of which may be left out of it.
public struct NumberRange: Sendable, CustomStringConvertible {
  private let lower: Double
  private let includesLower: Bool
  private let upper: Double
  private let includesUpper: Bool

  /// Numbers from 0.
  public static let nonNegative = NumberRange(lower: 0, includesLower: true, upper: .infinity, includesUpper: false)
  /// Numbers from 0, below 1.
  public static let probability = NumberRange(lower: 0, includesLower: true, upper: 1, includesUpper: false)

  /// Numbers from 0 to 1.
  public static let unitInterval = NumberRange(lower: 0, includesLower: true, upper: 1, includesUpper: true)

  private init(lower: Double, includesLower: Bool, upper: Double, includesUpper: Bool) {
    (self.lower, self.includesLower, self.upper, self.includesUpper) = (lower, includesLower, upper, includesUpper)
  }

  /// Numbers above `lower` and below `upper`.
  public static func between(_ lower: Double, _ upper: Double) -> NumberRange {
    NumberRange(lower: lower, includesLower: false, upper: upper, includesUpper: false)
  }

  /// Numbers above `lower`, `upper` included.
  public static func above(_ lower: Double, through upper: Double) -> NumberRange {
    NumberRange(lower: lower, includesLower: false, upper: upper, includesUpper: true)
  }

  /// Whether the range has `number`.
  public func contains(_ number: Double) -> Bool {
    (includesLower ? number >= lower : number > lower) && (includesUpper ? number <= upper : number < upper)
  }

  /// The range in words: `above 0 and below 10`.
  public var description: String {
    let from = "\(includesLower ? "at least" : "above") \(SettingValue.number(lower))"
    return upper == .infinity
      ? from : "\(from) and \(includesUpper ? "at most" : "below") \(SettingValue.number(upper))"
  }
}
