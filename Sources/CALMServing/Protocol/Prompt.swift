import CALMSupport
import CALMTokenizer

/// The prompt of a request as token ids.
struct Prompt {
  let ids: [Int32]
  /// The field that it comes from.
  let param: String
  /// Stop strings beyond those of the request.
  var stops: [String] = []
  private var given: String?

  /// Reads `prompt`: a string, or an array of one string or of token ids.
  ///
  /// - Throws: ``APIError``.
  init(_ fields: inout FieldReader, facts: ModelFacts) throws(APIError) {
    param = "prompt"
    // As in OpenAI's interface, a missing prompt starts a document.
    guard let value = fields.value("prompt") else {
      (given, ids) = ("", facts.encode(""))
      return
    }
    if let text = value.string ?? Self.onlyString(value) {
      (given, ids) = (text, facts.encode(text))
      return
    }
    guard let elements = value.array, !elements.isEmpty else {
      throw fields.wrongType("prompt", "a string or an array of token ids")
    }
    var read: [Int32] = []
    for element in elements {
      guard let id = element.integer else {
        throw .invalid("'prompt' must be one string or one array of token ids; send one request for each", param: param)
      }
      guard (0..<facts.tokenizer.vocabularySize).contains(id) else {
        throw .invalid(
          "'prompt' has the token id \(id), and the vocabulary ends at \(facts.tokenizer.vocabularySize - 1)",
          param: param)
      }
      read.append(Int32(id))
    }
    ids = read
  }

  /// Reads `messages`.
  ///
  /// - Throws: ``APIError``.
  init(messages fields: inout FieldReader, facts: ModelFacts) throws(APIError) {
    param = "messages"
    guard let value = fields.value("messages") else {
      throw .invalid("'messages' is missing", param: param, code: "missing_parameter")
    }
    guard let list = value.array, !list.isEmpty else {
      throw fields.wrongType("messages", "an array of at least one message")
    }
    var messages: [ChatMessage] = []
    for (index, element) in list.enumerated() {
      messages.append(try ChatMessage(element, at: "messages[\(index)]"))
    }
    ids = facts.encode(ChatMessage.layout(messages))
    stops = [ChatMessage.nextTurn]
  }

  /// The text of the prompt.
  ///
  /// - Throws: ``APIError`` if token ids do not form one.
  func text(_ facts: ModelFacts) throws(APIError) -> String {
    if let given { return given }
    do { return try facts.tokenizer.decode(ids, skipSpecial: true) } catch { throw .invalid("\(error)", param: param) }
  }

  private static func onlyString(_ value: JSONValue) -> String? {
    value.array?.count == 1 ? value.array?.first?.string : nil
  }
}

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

  /// The text that begins the turn of the user, at which an answer ends.
  static let nextTurn = "\n\nUser:"

  /// The plain form of a chat: instructions as they are, turns with `User:` and `Assistant:` before them, an empty line
  /// between two, and at the end `Assistant:`, which the model continues.
  static func layout(_ messages: [ChatMessage]) -> String {
    let turns = messages.map { message in
      switch message.role {
      case .system, .developer: message.text
      case .user: "User: \(message.text)"
      case .assistant: "Assistant: \(message.text)"
      }
    }
    return (turns + ["Assistant:"]).joined(separator: "\n\n")
  }
}
