import CALM
import CALMServing
import CALMSupport
import Testing

@Suite("Requests for completions")
struct CompletionCallTests {
  private static let limits = ServingLimits()

  private func call(
    _ body: String, _ kind: CompletionCall.Kind = .completion, of model: TinyServed.Kind = .energy
  ) throws -> CompletionCall {
    let model = try TinyServed.model(model)
    let json = try CompletionCall.json(Array(body.utf8), limits: Self.limits)
    return try CompletionCall(json, kind: kind, facts: model.facts, limits: Self.limits, seed: 99)
  }

  /// The refusal of a body.
  private func refusal(
    _ body: String, _ kind: CompletionCall.Kind = .completion, of model: TinyServed.Kind = .energy
  ) -> APIError? {
    do {
      _ = try call(body, kind, of: model)
      return nil
    } catch {
      return error as? APIError
    }
  }

  @Test("a completion has OpenAI's defaults")
  func defaults() throws {
    let call = try call(#"{"model": "m", "prompt": "Once"}"#)
    #expect(call.model == "m")
    #expect(call.request.prompts[0] == (try TinyServed.tokenizer().encode("Once")))
    #expect(call.request.options.maximumTokens == 16)
    #expect(call.request.options.temperature == 1)
    #expect(call.request.options.sequences == 1)
    #expect(call.request.options.seed == 99)
    #expect(call.request.stops == [])
    #expect(!call.isStream && !call.includesUsage && call.echoes == nil)
  }

  @Test("all supported fields are read")
  func fields() throws {
    let call = try call(
      #"""
      {"model": "m", "prompt": ["Once"], "max_tokens": 7, "n": 3, "seed": -1, "temperature": 0.5, "top_p": 1.0,
       "stop": ["\n", "END"], "stream": true, "stream_options": {"include_usage": true}, "echo": true, "user": "u",
       "calm": {"sampler": "exact", "pool": 50}, "logprobs": null, "presence_penalty": 0, "best_of": 3}
      """#)
    let options = call.request.options
    #expect(options.maximumTokens == 7 && options.sequences == 3 && options.seed == .max)
    #expect(options.temperature == 0.5 && options.sampler == .exact && options.candidates == 50)
    #expect(call.request.stops == ["\n", "END"])
    #expect(call.isStream && call.includesUsage)
    #expect(call.echoes == ["Once"])
  }

  @Test("a prompt of token ids is taken as it is")
  func tokens() throws {
    let call = try call(#"{"model": "m", "prompt": [70, 71, 72], "echo": true}"#)
    #expect(call.request.prompts[0] == [70, 71, 72])
    #expect(call.echoes == [try TinyServed.tokenizer().decode([70, 71, 72])])
  }

  @Test("a whole number may be written with a decimal point or an exponent")
  func wholeNumbers() throws {
    let call = try call(#"{"model": "m", "prompt": [70.0, 7.1e1], "max_tokens": 7.0, "n": 2e0, "best_of": 2.0}"#)
    #expect(call.request.prompts == [[70, 71]])
    #expect(call.request.options.maximumTokens == 7 && call.request.options.sequences == 2)
    for seed in ["1e300", "0.5", "9223372036854775808", "-9223372036854775809"] {
      #expect(refusal(#"{"model": "m", "seed": \#(seed)}"#)?.param == "seed", "\(seed)")
    }
  }

  @Test("a chat is laid out with the names of the roles, and ends at the user's next turn")
  func chat() throws {
    let call = try call(
      #"""
      {"model": "m", "max_completion_tokens": 5, "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Bye", "name": "Ada"}]}
      """#, .chat)
    let text = "Be brief.\n\nUser: Hi\n\nAssistant: Hello.\n\nUser: Bye\n\nAssistant:"
    #expect(call.request.prompts[0] == (try TinyServed.tokenizer().encode(text)))
    #expect(call.request.stops == ["\n\nUser:"])
    #expect(call.request.options.maximumTokens == 5)
  }

  @Test("without a number, a chat may use what is left of the model's length")
  func chatLength() throws {
    // 1,024 tokens in all.
    let message = String(repeating: "a", count: 900)
    let call = try call(#"{"model": "m", "messages": [{"role": "user", "content": "\#(message)"}]}"#, .chat)
    #expect(call.request.prompts[0].count + call.request.options.maximumTokens == 1_024)
  }

  @Test("a prompt is text or token ids, or several of either")
  func prompts() throws {
    let tokenizer = try TinyServed.tokenizer()
    #expect(try call(#"{"model": "m", "prompt": ["a"]}"#).request.prompts == [tokenizer.encode("a")])
    let texts = try call(#"{"model": "m", "prompt": ["ab", "", "c"], "n": 2}"#).request
    #expect(texts.prompts == ["ab", "", "c"].map { tokenizer.encode($0) })
    #expect(texts.choices == 6)
    #expect(texts.promptTokens == 3)
    #expect(try call(#"{"model": "m", "prompt": [[70, 71], [72]]}"#).request.prompts == [[70, 71], [72]])
  }

  @Test("temperature 0 is the most probable token where there are probabilities")
  func zero() throws {
    let call = try call(#"{"model": "m", "prompt": "a", "temperature": 0, "top_p": 0.9}"#, of: .autoregressive)
    #expect(call.request.options.topK == 1)
    #expect(call.request.options.topP == 0.9)
  }

  @Test(
    "what is wrong is refused with the field that is wrong",
    arguments: [
      (#"{"prompt": "a"}"#, "model"), (#"{"model": 3}"#, "model"),
      (#"{"model": "m", "prompt": 3}"#, "prompt"), (#"{"model": "m", "prompt": [999]}"#, "prompt"),
      (#"{"model": "m", "prompt": ["a", 3]}"#, "prompt"), (#"{"model": "m", "prompt": []}"#, "prompt"),
      (#"{"model": "m", "prompt": ["a", [3]]}"#, "prompt"), (#"{"model": "m", "prompt": [[3], []]}"#, "prompt"),
      (#"{"model": "m", "prompt": [\#(Array(repeating: "\"a\"", count: 17).joined(separator: ", "))]}"#, "prompt"),
      (#"{"model": "m", "max_tokens": 0}"#, "max_tokens"), (#"{"model": "m", "max_tokens": 1.5}"#, "max_tokens"),
      (#"{"model": "m", "n": 17}"#, "n"), (#"{"model": "m", "seed": "x"}"#, "seed"),
      (#"{"model": "m", "temperature": 0}"#, "temperature"), (#"{"model": "m", "temperature": 1.5}"#, "temperature"),
      (#"{"model": "m", "temperature": 1e999}"#, "temperature"), (#"{"model": "m", "top_p": 0.9}"#, "top_p"),
      (#"{"model": "m", "stop": ["a", "b", "c", "d", "e"]}"#, "stop"), (#"{"model": "m", "stop": ""}"#, "stop"),
      (#"{"model": "m", "stop": [1]}"#, "stop"), (#"{"model": "m", "logprobs": 1}"#, "logprobs"),
      (#"{"model": "m", "logit_bias": {"1": 2}}"#, "logit_bias"), (#"{"model": "m", "best_of": 2}"#, "best_of"),
      (#"{"model": "m", "suffix": "x"}"#, "suffix"), (#"{"model": "m", "stream": "yes"}"#, "stream"),
      (#"{"model": "m", "stream_options": {}}"#, "stream_options"),
      (#"{"model": "m", "tempreature": 1}"#, "tempreature"),
      (#"{"model": "m", "frequency_penalty": 0.5}"#, "frequency_penalty"),
      (#"{"model": "m", "calm": {"sampler": "best"}}"#, "calm.sampler"),
      (#"{"model": "m", "calm": {"pool": 0}}"#, "calm.pool"), (#"{"model": "m", "calm": {"size": 1}}"#, "calm.size"),
    ])
  func refusals(body: String, field: String) {
    let error = refusal(body)
    #expect(error?.status == 400)
    #expect(error?.type == "invalid_request_error")
    #expect(error?.param == field)
    #expect(error?.message.contains(field.split(separator: ".").last ?? "") == true)
  }

  @Test(
    "a wrong chat is refused with the field that is wrong",
    arguments: [
      (#"{"model": "m"}"#, "messages"), (#"{"model": "m", "messages": []}"#, "messages"),
      (#"{"model": "m", "messages": ["a"]}"#, "messages[0]"),
      (#"{"model": "m", "messages": [{"role": "user"}]}"#, "messages[0].content"),
      (#"{"model": "m", "messages": [{"content": "a"}]}"#, "messages[0].role"),
      (#"{"model": "m", "messages": [{"role": "tool", "content": "a"}]}"#, "messages[0].role"),
      (
        #"{"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}"#,
        "messages[0].content[0].type"
      ),
      (#"{"model": "m", "messages": [{"role": "user", "content": "a"}], "tools": [{}]}"#, "tools"),
      (#"{"model": "m", "messages": [{"role": "user", "content": "a"}], "logprobs": true}"#, "logprobs"),
      (#"{"model": "m", "messages": [{"role": "user", "content": "a"}], "echo": true}"#, "echo"),
      (
        #"{"model": "m", "messages": [{"role": "user", "content": "a"}], "response_format": {"type": "json_object"}}"#,
        "response_format"
      ),
    ])
  func chatRefusals(body: String, field: String) {
    let error = refusal(body, .chat)
    #expect(error?.status == 400)
    #expect(error?.param == field)
  }

  @Test("a model with probabilities needs no sampler", arguments: [TinyServed.Kind.tokens, .autoregressive])
  func probabilities(model: TinyServed.Kind) throws {
    let hot = try call(#"{"model": "m", "prompt": "a", "temperature": 1.5, "top_p": 0.9}"#, of: model).request.options
    #expect(hot.temperature == 1.5 && hot.topP == 0.9)
    #expect(refusal(#"{"model": "m", "calm": {"sampler": "batch"}}"#, of: model)?.param == "calm.sampler")
    #expect(refusal(#"{"model": "m", "temperature": 2.5}"#, of: model)?.param == "temperature")
    #expect(refusal(#"{"model": "m", "temperature": 1.5, "top_p": 0}"#, of: model)?.param == "top_p")
  }

  @Test(
    "a body that is not JSON in UTF-8, too deep or not an object is refused",
    arguments: [
      Array("".utf8), Array("{".utf8), Array("[]".utf8), Array("null".utf8), [0x22, 0xFF, 0x22],
      Array(String(repeating: "[", count: 100_000).utf8), Array(#"{"model": "m", "model": "n"}"#.utf8),
    ])
  func bodies(bytes: [UInt8]) throws {
    let facts = try TinyServed.continuous().facts
    let error = #expect(throws: APIError.self) {
      let json = try CompletionCall.json(bytes, limits: Self.limits)
      _ = try CompletionCall(json, kind: .completion, facts: facts, limits: Self.limits, seed: 1)
    }
    #expect(error?.status == 400)
    #expect(error?.message.contains("\n") == false)
  }
}
