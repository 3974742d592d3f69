/// A JSON document in memory.
///
/// Unlike Foundation's, objects keep the order of their members, and every member: a vocabulary that names a token twice
/// must be noticed.
package enum JSONValue {
  case null
  case bool(Bool)
  /// A number that is written as an integer and fits.
  case integer(Int)
  /// Any other number.
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  package struct Member {
    package var key: String
    package var value: JSONValue
  }

  /// The value of the member `key` of an object; nil if this is no object or has no such member.
  package subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
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
