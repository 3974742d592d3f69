import CALMSupport

/// Reads the fields of a request's object, each with the error that names it.
///
/// Fields that nobody reads are unknown: ``finish()`` refuses them, so that a mistyped name is not ignored.
struct FieldReader {
  private let members: [String: JSONValue]
  /// The path of the object, such as `messages[0].`; empty for the request itself.
  private let prefix: String
  private var known: Set<String> = []

  /// - Throws: ``APIError`` if the value is not an object, or names a field twice.
  init(_ value: JSONValue, at path: String = "") throws(APIError) {
    guard case .object(let object) = value else {
      throw .invalid(
        path.isEmpty ? "the body is not a JSON object" : "'\(path)' is not an object", param: path.isEmpty ? nil : path)
    }
    prefix = path.isEmpty ? "" : path + "."
    var members: [String: JSONValue] = [:]
    for member in object {
      guard members.updateValue(member.value, forKey: member.key) == nil else {
        throw .invalid("'\(prefix)\(member.key.shortened)' occurs twice", param: nil)
      }
    }
    self.members = members
  }

  /// The name of a field with its path.
  func path(_ key: String) -> String { prefix + key }

  /// The value of a field; nil if it is missing or null.
  mutating func value(_ key: String) -> JSONValue? {
    known.insert(key)
    guard let value = members[key], !value.isNull else { return nil }
    return value
  }

  mutating func string(_ key: String) throws(APIError) -> String? {
    guard let value = value(key) else { return nil }
    guard let text = value.string else { throw wrongType(key, "a string") }
    return text
  }

  mutating func boolean(_ key: String) throws(APIError) -> Bool? {
    guard let value = value(key) else { return nil }
    guard let flag = value.boolean else { throw wrongType(key, "true or false") }
    return flag
  }

  mutating func integer(_ key: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
    guard let value = value(key) else { return nil }
    guard let number = value.wholeNumber else { throw wrongType(key, "a whole number") }
    guard range.contains(number) else {
      throw .invalid(
        range.upperBound == .max
          ? "'\(path(key))' must be at least \(range.lowerBound), not \(number)"
          : "'\(path(key))' must be from \(range.lowerBound) to \(range.upperBound), not \(number)", param: path(key))
    }
    return number
  }

  mutating func number(_ key: String) throws(APIError) -> Double? {
    switch value(key) {
    case nil: return nil
    case .integer(let number)?: return Double(number)
    case .number(let number)? where number.isFinite: return number
    default: throw wrongType(key, "a number")
    }
  }

  /// Marks fields as known whose value has no effect.
  mutating func ignore(_ keys: String...) { known.formUnion(keys) }

  /// Refuses a field with a reason unless it is missing, null or neutral.
  mutating func refuse(
    _ reason: String, of key: String, unless isNeutral: (JSONValue) -> Bool = { _ in false }
  ) throws(APIError) {
    guard let value = value(key), !isNeutral(value) else { return }
    throw .invalid("'\(path(key))': \(reason)", param: path(key), code: "unsupported_parameter")
  }

  /// Throws if a field was not read.
  func finish() throws(APIError) {
    guard let unknown = members.keys.filter({ !known.contains($0) }).min() else { return }
    throw .invalid(
      "unknown field '\(path(unknown.shortened))'; docs/serving.md lists the fields", param: path(unknown.shortened),
      code: "unknown_parameter")
  }

  func wrongType(_ key: String, _ expected: String) -> APIError {
    .invalid("'\(path(key))' must be \(expected)", param: path(key), code: "invalid_type")
  }
}

extension JSONValue {
  /// The value of a whole number. JSON makes no difference between 1, 1.0 and 1e0; beyond 2^53, a `Double` may be
  /// another number than the one that was written.
  var wholeNumber: Int? {
    guard case .number(let number) = self else { return integer }
    return abs(number) <= 0x1p53 ? Int(exactly: number) : nil
  }
}

extension String {
  /// At most 64 characters, for messages that quote a client.
  var shortened: String { count > 64 ? prefix(64) + "…" : self }
}
