import CALM
import CALMServing
import CALMSupport
import Testing

@Suite("Responses to completions")
struct CompletionResponseTests {
  private func response(_ body: String, _ kind: CompletionCall.Kind) throws -> CompletionResponse {
    let limits = ServingLimits()
    let call = try CompletionCall(
      CompletionCall.json(Array(body.utf8), limits: limits), kind: kind, facts: TinyServed.continuous().facts,
      limits: limits, seed: 7)
    return CompletionResponse(call, id: "1", created: 12)
  }

  private let pieces = [
    EnginePiece(choice: 0, text: " One", tokens: 4, finish: nil),
    EnginePiece(choice: 1, text: "", tokens: 4, finish: nil),
    EnginePiece(choice: 1, text: "Two\n", tokens: 3, finish: .stop),
    EnginePiece(choice: 0, text: " \"more\"", tokens: 4, finish: .length),
  ]

  @Test("a body has every choice with its reason, and the usage")
  func body() throws {
    var response = try response(#"{"model": "m", "prompt": "abc", "n": 2, "echo": true}"#, .completion)
    for piece in pieces { response.append(piece) }
    #expect(
      response.body.line == #"{"id":"cmpl-1","object":"text_completion","created":12,"model":"m","#
        + #""system_fingerprint":"calm-\#(calmVersion)","choices":["#
        + #"{"text":"abc One \"more\"","index":0,"logprobs":null,"finish_reason":"length"},"#
        + #"{"text":"abcTwo\n","index":1,"logprobs":null,"finish_reason":"stop"}],"#
        + #""usage":{"prompt_tokens":3,"completion_tokens":15,"total_tokens":18},"calm":{"seed":7}}"#)
  }

  @Test("the whole response counts the chunks and the samples of all choices")
  func samples() throws {
    let body = #"{"model": "m", "prompt": "abc", "n": 2, "stream": true, "stream_options": {"include_usage": true}}"#
    var response = try response(body, .completion)
    for choice in [0, 1, 0] {
      let piece = EnginePiece(choice: choice, text: "a", tokens: 4, samples: 50, finish: nil)
      #expect(response.events(piece).map { $0["calm"]?.line } == [#"{"seed":7}"#])
    }
    #expect(response.closing.map { $0["calm"]?.line } == [#"{"seed":7,"chunks":3,"samples":150}"#])
  }

  @Test("the choices of several prompts have the text of their own, and the usage counts each prompt once")
  func prompts() throws {
    let body = #"{"model": "m", "prompt": ["ab", "c"], "n": 2, "echo": true}"#
    var response = try response(body, .completion)
    for index in [3, 1, 0, 2] {
      response.append(EnginePiece(choice: index, text: "\(index)", tokens: 1, finish: .length))
    }
    #expect(response.body["choices"]?.array?.map { $0["text"]?.string } == ["ab0", "ab1", "c2", "c3"])
    #expect(response.body["usage"]?["prompt_tokens"]?.integer == 3)
    #expect(response.opening.map { $0["choices"]?.array?.first?["text"]?.string } == ["ab", "ab", "c", "c"])
  }

  @Test("a chat's answer has no white space at its start")
  func chat() throws {
    var response = try response(
      #"{"model": "m", "messages": [{"role": "user", "content": "a"}], "n": 2}"#, .chat)
    for piece in pieces { response.append(piece) }
    let choices = try #require(response.body["choices"]?.array)
    #expect(choices.map { $0["message"]?["content"]?.string } == ["One \"more\"", "Two\n"])
    #expect(choices.map { $0["message"]?["role"]?.string } == ["assistant", "assistant"])
    #expect(response.body["object"]?.string == "chat.completion")
    #expect(response.body["id"]?.string == "chatcmpl-1")
  }

  @Test("the events of a stream have the texts of the body, and end each choice once")
  func events() throws {
    var response = try response(
      #"{"model": "m", "prompt": "a", "n": 2, "stream": true, "stream_options": {"include_usage": true}}"#, .completion)
    #expect(response.opening.isEmpty)
    let events = pieces.flatMap { response.events($0) }
    // A piece without text is no event unless it ends a choice.
    #expect(events.count == 3)
    let choices = events.compactMap { $0["choices"]?.array?.first }
    #expect(choices.map { $0["index"]?.integer } == [0, 1, 0])
    #expect(choices.map { $0["text"]?.string } == [" One", "Two\n", " \"more\""])
    #expect(choices.map { $0["finish_reason"]?.string } == [nil, "stop", "length"])
    #expect(events.allSatisfy { $0["usage"]?.isNull == true })
    #expect(response.closing.count == 1)
    #expect(response.closing[0]["usage"]?["completion_tokens"]?.integer == 15)
    #expect(response.closing[0]["choices"]?.array?.isEmpty == true)
    #expect(!events.contains { $0.line.contains("\n") })
  }

  @Test("the events of a chat begin with the role of each choice, and end with an empty delta")
  func chatEvents() throws {
    var response = try response(
      #"{"model": "m", "messages": [{"role": "user", "content": "a"}], "n": 2, "stream": true}"#, .chat)
    #expect(response.opening.count == 2)
    let events = pieces.flatMap { response.events($0) }.compactMap { $0["choices"]?.array?.first }
    #expect(events.map { $0["delta"]?["content"]?.string } == ["One", "Two\n", nil, " \"more\"", nil])
    #expect(events.map { $0["finish_reason"]?.string } == [nil, nil, "stop", nil, "length"])
    #expect(response.closing.isEmpty)
  }

  @Test("errors of the engine have the status that OpenAI's clients expect")
  func errors() {
    let statuses: [(any Error, Int)] = [
      (EngineError.loading, 503), (EngineError.stopped, 503), (EngineError.queueFull(waiting: 3), 429),
      (EngineError.tooLong(prompt: 1, requested: 2, limit: 3), 400), (EngineError.timedOut, 408),
      (GenerationError.notFinite, 500), (TemperatureError.notPositive(0), 400), (CancellationError(), 499),
    ]
    for (error, status) in statuses { #expect(APIError(error).status == status, "\(error)") }
    #expect(APIError(EngineError.queueFull(waiting: 3)).retryAfter != nil)
    #expect(
      APIError.invalid("no \"a\"", param: "n").json.line
        == #"{"error":{"message":"no \"a\"","type":"invalid_request_error","param":"n","code":null}}"#)
  }
}
