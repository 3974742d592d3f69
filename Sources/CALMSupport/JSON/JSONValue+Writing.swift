extension JSONValue {
  /// The value as JSON text with one member or element per line, indented by two spaces per level.
  ///
  /// Numbers keep their type and value: `1.0` does not become an integer.
  package var text: String { text(margin: "") }

  /// The value as JSON text in one line without spaces.
  package var line: String {
    switch self {
    case .array(let elements): "[\(elements.map(\.line).joined(separator: ","))]"
    case .object(let members):
      "{\(members.map { "\(Self.quoted($0.key)):\($0.value.line)" }.joined(separator: ","))}"
    default: text
    }
  }

  private func text(margin: String) -> String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .number(let value): "\(value)"
    case .string(let value): Self.quoted(value)
    case .array(let elements): Self.list("[", elements.map { $0.text(margin: margin + "  ") }, "]", margin: margin)
    case .object(let members):
      Self.list(
        "{", members.map { "\(Self.quoted($0.key)): \($0.value.text(margin: margin + "  "))" }, "}", margin: margin)
    }
  }

  private static func list(_ start: String, _ items: [String], _ end: String, margin: String) -> String {
    if items.isEmpty { return start + end }
    return "\(start)\n\(items.map { margin + "  " + $0 }.joined(separator: ",\n"))\n\(margin)\(end)"
  }

  /// A text as a JSON string, including quotation marks.
  package static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{0}"..<"\u{20}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
