import CALMSupport

/// A message of a chat.
struct ChatMessage {
  /// Who wrote it.
  enum Role: String {
    case system, developer, user, assistant
  }

  let role: Role
  let text: String

  /// - Throws: ``APIError``.
  init(_ value: JSONValue, at path: String) throws(APIError) {
    var fields = try FieldReader(value, at: path)
    fields.ignore("name", "refusal", "annotations", "audio")
    guard let name = try fields.string("role") else {
      throw .invalid("'\(path).role' is missing", param: path + ".role", code: "missing_parameter")
    }
    guard let role = Role(rawValue: name) else {
      throw .invalid("'\(path).role' must be system, developer, user or assistant", param: path + ".role")
    }
    self.role = role
    for key in ["tool_calls", "function_call"] {
      try fields.refuse("tools are not possible", of: key) { $0.array?.isEmpty == true }
    }
    text = try Self.text(&fields)
    try fields.finish()
  }

  /// A string, or an array of parts that are text.
  private static func text(_ fields: inout FieldReader) throws(APIError) -> String {
    guard let value = fields.value("content") else {
      throw .invalid("'\(fields.path("content"))' is missing", param: fields.path("content"))
    }
    if let text = value.string { return text }
    guard let parts = value.array else { throw fields.wrongType("content", "a string or an array of text parts") }
    var text = ""
    for (index, part) in parts.enumerated() {
      var own = try FieldReader(part, at: "\(fields.path("content"))[\(index)]")
      guard try own.string("type") == "text", let piece = try own.string("text") else {
        throw .invalid("'\(own.path("type"))' must be \"text\", the only kind of part", param: own.path("type"))
      }
      try own.finish()
      text += piece
    }
    return text
  }
}
