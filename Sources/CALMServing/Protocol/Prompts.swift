import CALMSupport
import CALMTokenizer

/// The prompts of a request as token ids.
struct Prompts {
  let ids: [[Int32]]
  /// The field that they come from.
  let param: String
  /// Stop strings beyond those of the request.
  var stops: [String] = []
  /// Tokens that end a choice.
  var stopTokens: Set<Int32> = []
  /// The prompts as text, if they were given so.
  private var given: [String]?

  /// Reads `prompt`: a string or an array of token ids, or an array of either.
  ///
  /// - Throws: ``APIError``.
  init(_ fields: inout FieldReader, facts: ModelFacts) throws(APIError) {
    param = "prompt"
    // As in OpenAI's interface, a missing prompt starts a document.
    let value = fields.value("prompt") ?? .string("")
    let elements = value.array ?? [value]
    var (texts, lists): ([String], [[Int32]]) = ([], [])
    if value.array != nil, elements.first?.wholeNumber != nil {
      lists = [try Self.ids(elements, facts)]
    } else {
      for element in elements {
        if let text = element.string {
          texts.append(text)
        } else if let list = element.array {
          lists.append(try Self.ids(list, facts))
        } else {
          throw Self.wrongType
        }
      }
    }
    guard texts.isEmpty != lists.isEmpty else { throw Self.wrongType }
    given = lists.isEmpty ? texts : nil
    ids = lists.isEmpty ? texts.map(facts.encode) : lists
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
    ids = [facts.prefix + facts.chat.encode(messages, facts.tokenizer)]
    (stops, stopTokens) = (facts.chat.stops, facts.chat.stopTokens(facts.tokenizer))
  }

  /// The prompts as text.
  ///
  /// - Throws: ``APIError`` if token ids do not form one.
  func texts(_ facts: ModelFacts) throws(APIError) -> [String] {
    if let given { return given }
    do {
      return try ids.map { try facts.tokenizer.decode($0, skipSpecial: true) }
    } catch {
      throw .invalid("\(error)", param: param)
    }
  }

  private static func ids(_ elements: [JSONValue], _ facts: ModelFacts) throws(APIError) -> [Int32] {
    if elements.isEmpty { throw wrongType }
    var ids: [Int32] = []
    for element in elements {
      guard let id = element.wholeNumber else { throw wrongType }
      guard (0..<facts.tokenizer.vocabularySize).contains(id) else {
        throw .invalid(
          "'prompt' has the token id \(id), and the vocabulary ends at \(facts.tokenizer.vocabularySize - 1)",
          param: "prompt")
      }
      ids.append(Int32(id))
    }
    return ids
  }

  private static let wrongType = APIError.invalid(
    "'prompt' must be a string or an array of token ids, or an array of several such prompts of one kind",
    param: "prompt", code: "invalid_type")
}
