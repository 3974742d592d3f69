import CALMReports
import CALMSupport
import CALMTraining

/// An object of settings in an experiment file. Each list in it multiplies the number of variants by its length.
///
/// `{"hidden": 128, "head": ["energy", "flow"]}` has two variants, which their labels distinguish.
struct SettingsGrid {
  /// One combination of values.
  struct Variant {
    let place: String
    let members: [JSONValue.Member]
    /// The part of the name that distinguishes the variant, such as `-head-flow`.
    let label: String
  }

  let variants: [Variant]

  /// - Parameters:
  ///   - place: the position of the object in the file, for errors.
  ///   - known: the valid keys; nil if the reader of the variants checks them.
  /// - Throws: ``SettingsError`` for anything but an object with known keys, each at most once.
  init(_ value: JSONValue?, at place: String, known: Set<String>? = nil) throws(SettingsError) {
    guard let members = value?.object else { throw SettingsError("'\(place)' must be an object with settings") }
    var found: [Variant] = [Variant(place: place, members: [], label: "")]
    for member in members {
      if let known, !known.contains(member.key) {
        throw SettingsError(
          "'\(place)' has the unknown key '\(member.key)'; the keys are \(known.sorted().joined(separator: ", "))")
      }
      guard found[0][member.key] == nil else { throw SettingsError("'\(place)' has '\(member.key)' twice") }
      let choices = member.value.array ?? [member.value]
      if choices.isEmpty { throw SettingsError("'\(member.key)' of '\(place)' is an empty list") }
      found = found.flatMap { variant in
        choices.map { choice in
          let members = variant.members + [JSONValue.Member(key: member.key, value: choice)]
          let label = choices.count > 1 ? "-\(member.key)-\(Self.word(choice))" : ""
          return Variant(place: place, members: members, label: variant.label + label)
        }
      }
    }
    variants = found
  }

  private static func word(_ value: JSONValue) -> String {
    switch value {
    case .integer(let number): "\(number)"
    case .number(let number): "\(number)"
    case .string(let text): text
    case .bool(let flag): "\(flag)"
    default: "?"
    }
  }
}

/// An invalid setting; the caller adds the file.
struct SettingsError: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}

extension SettingsGrid.Variant {
  /// The value of a member.
  subscript(key: String) -> JSONValue? { JSONValue.object(members)[key] }

  /// A whole number in a range.
  func integer(_ key: String, in range: ClosedRange<Int>, or usual: Int) throws(SettingsError) -> Int {
    guard let value = self[key] else { return usual }
    guard let number = value.integer, range.contains(number) else {
      throw SettingsError(
        "'\(key)' of '\(place)' must be a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A string.
  func text(_ key: String) throws(SettingsError) -> String {
    guard let value = self[key] else { throw SettingsError("'\(place)' lacks '\(key)'") }
    guard let text = value.string else { throw SettingsError("'\(key)' of '\(place)' must be a string") }
    return text
  }
}
