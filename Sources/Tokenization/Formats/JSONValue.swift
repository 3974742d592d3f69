/// A JSON document in memory.
///
/// Unlike Foundation's, objects keep the order of their members, and every member: a vocabulary that names a token twice
/// must be noticed.
enum JSONValue {
  case null
  case bool(Bool)
  /// A number that is written as an integer and fits.
  case integer(Int)
  /// Any other number.
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  struct Member {
    var key: String
    var value: JSONValue
  }

  /// The value of the member `key` of an object; nil if this is no object or has no such member.
  subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  var isNull: Bool {
    if case .null = self { true } else { false }
  }

  var boolean: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  var integer: Int? {
    if case .integer(let value) = self { value } else { nil }
  }

  var array: [JSONValue]? {
    if case .array(let value) = self { value } else { nil }
  }

  var object: [Member]? {
    if case .object(let value) = self { value } else { nil }
  }
}
