/// A JSON document in memory.
///
/// Unlike in Foundation, objects preserve the order of their members, including duplicates, so that duplicate tokens
/// in a vocabulary can be detected.
package enum JSONValue: Sendable {
  case null
  case bool(Bool)
  /// A number that is written as an integer and fits in `Int`.
  case integer(Int)
  /// Any other number.
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  package struct Member: Sendable {
    package var key: String
    package var value: JSONValue

    package init(key: String, value: JSONValue) { (self.key, self.value) = (key, value) }
  }

  /// The value of the member `key`; nil if the value is not an object or has no such member. Setting a value replaces
  /// or adds the member; setting nil removes it.
  package subscript(key: String) -> JSONValue? {
    get {
      guard case .object(let members) = self else { return nil }
      return members.first { $0.key == key }?.value
    }
    set {
      guard case .object(var members) = self else { return }
      let place = members.firstIndex { $0.key == key }
      members.removeAll { $0.key == key }
      if let newValue { members.insert(Member(key: key, value: newValue), at: place ?? members.endIndex) }
      self = .object(members)
    }
  }

  package var isNull: Bool {
    if case .null = self { true } else { false }
  }

  package var boolean: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  package var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  package var integer: Int? {
    if case .integer(let value) = self { value } else { nil }
  }

  package var array: [JSONValue]? {
    if case .array(let value) = self { value } else { nil }
  }

  package var object: [Member]? {
    if case .object(let value) = self { value } else { nil }
  }
}
