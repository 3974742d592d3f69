import CALMSupport

/// The responses to one request, as JSON: one body, or the events of a stream.
package struct CompletionResponse: Sendable {
  private let call: CompletionCall
  private let id: String
  private let created: Int
  /// The texts so far; only of a response in one body.
  private var choices: [Choice]
  private var completionTokens = 0
  private var chunks = 0
  private var samples = 0

  private struct Choice {
    var text = ""
    var finish: FinishReason?
    /// Whether nothing but white space has been generated so far.
    var isBlank = true
  }

  /// - Parameters:
  ///   - id: unique, without a prefix.
  ///   - created: seconds since 1970.
  package init(_ call: CompletionCall, id: String, created: Int) {
    self.call = call
    self.id = (call.kind == .chat ? "chatcmpl-" : "cmpl-") + id
    self.created = created
    choices = (0..<call.request.choices).map { [call] in Choice(text: Self.echo(of: $0, call) ?? "") }
  }

  /// Adds a piece to the body.
  package mutating func append(_ piece: EnginePiece) {
    choices[piece.choice].text += counted(piece)
    choices[piece.choice].finish = piece.finish
  }

  /// The body, after the last piece.
  package var body: JSONValue {
    let list = choices.enumerated().map { index, choice in
      let finish = finishReason(choice.finish)
      return switch call.kind {
      case .completion:
        JSONValue.object(
          ("text", .string(choice.text)), ("index", .integer(index)), ("logprobs", .null), finish)
      case .chat:
        JSONValue.object(
          ("index", .integer(index)),
          (
            "message",
            .object(("role", .string("assistant")), ("content", .string(choice.text)), ("refusal", .null))
          ), ("logprobs", .null), finish)
      }
    }
    return envelope(call.kind == .chat ? "chat.completion" : "text_completion", list, usage: usage)
  }

  /// The events before the first piece.
  package var opening: [JSONValue] {
    choices.indices.compactMap { index in
      switch call.kind {
      case .completion:
        Self.echo(of: index, call).map {
          event(.object(("text", .string($0)), ("index", .integer(index)), ("logprobs", .null), none))
        }
      case .chat:
        event(
          .object(
            ("index", .integer(index)),
            ("delta", .object(("role", .string("assistant")), ("content", .string("")))), ("logprobs", .null), none))
      }
    }
  }

  /// The events of a piece.
  package mutating func events(_ piece: EnginePiece) -> [JSONValue] {
    let (text, index) = (counted(piece), JSONValue.integer(piece.choice))
    if text.isEmpty && piece.finish == nil { return [] }
    switch call.kind {
    case .completion:
      return [
        event(
          .object(("text", .string(text)), ("index", index), ("logprobs", .null), finishReason(piece.finish)))
      ]
    case .chat:
      var events: [JSONValue] = []
      if !text.isEmpty {
        events.append(
          event(
            .object(("index", index), ("delta", .object(("content", .string(text)))), ("logprobs", .null), none)))
      }
      if piece.finish != nil {
        events.append(
          event(.object(("index", index), ("delta", .object([])), ("logprobs", .null), finishReason(piece.finish))))
      }
      return events
    }
  }

  /// The events after the last piece, without `[DONE]`.
  package var closing: [JSONValue] {
    call.includesUsage ? [envelope(eventObject, [], usage: usage)] : []
  }

  /// The text of a piece, counted. An answer in a chat has no white space at its start, where the layout of the prompt
  /// ends without any.
  private mutating func counted(_ piece: EnginePiece) -> String {
    completionTokens += piece.tokens
    chunks += 1
    samples += piece.samples
    guard call.kind == .chat, choices[piece.choice].isBlank else { return piece.text }
    let text = String(piece.text.drop(while: \.isWhitespace))
    choices[piece.choice].isBlank = text.isEmpty
    return text
  }

  private var usage: JSONValue {
    let prompt = call.request.promptTokens
    return .object(
      ("prompt_tokens", .integer(prompt)), ("completion_tokens", .integer(completionTokens)),
      ("total_tokens", .integer(prompt + completionTokens)))
  }

  /// The text before a choice; nil for none.
  private static func echo(of choice: Int, _ call: CompletionCall) -> String? {
    call.echoes?[choice / call.request.options.sequences]
  }

  private var eventObject: String { call.kind == .chat ? "chat.completion.chunk" : "text_completion" }
  private var none: (key: String, value: JSONValue) { finishReason(nil) }

  private func finishReason(_ finish: FinishReason?) -> (key: String, value: JSONValue) {
    ("finish_reason", finish.map { .string($0.rawValue) } ?? .null)
  }

  private func event(_ choice: JSONValue) -> JSONValue {
    envelope(eventObject, [choice], usage: call.includesUsage ? .null : nil)
  }

  private func envelope(_ object: String, _ choices: [JSONValue], usage: JSONValue?) -> JSONValue {
    var members: [(key: String, value: JSONValue)] = [
      ("id", .string(id)), ("object", .string(object)), ("created", .integer(created)),
      ("model", .string(call.model)), ("system_fingerprint", .string("calm-\(calmVersion)")),
      ("choices", .array(choices)),
    ]
    if let usage { members.append(("usage", usage)) }
    members.append(("calm", extensions(isWhole: usage?.isNull == false)))
    return .object(members.map { JSONValue.Member(key: $0.key, value: $0.value) })
  }

  /// The seed, and for the whole response of a continuous model the chunks and the samples that they took.
  private func extensions(isWhole: Bool) -> JSONValue {
    // A seed above the greatest signed integer is the same as the negative one with its bits.
    let seed = JSONValue.integer(Int(Int64(bitPattern: call.request.options.seed)))
    guard isWhole, samples > 0 else { return .object(("seed", seed)) }
    return .object(("seed", seed), ("chunks", .integer(chunks)), ("samples", .integer(samples)))
  }
}
