import CALMServing
import CALMSupport
import Foundation
import Testing

@Suite("Routes")
struct RouteTests {
  private func json(_ reply: Reply) throws -> JSONValue { try JSONParser.parse(Array(reply.body.utf8)) }

  @Test("a completion, a chat and their streams have the same text for the same seed", .timeLimit(.minutes(10)))
  func completions() async throws {
    try await TestServer.run { server in
      let fields = #""model": "tiny", "max_tokens": 40, "seed": 3, "n": 2"#
      let prompt = "Be brief.\\n\\nUser: Hi\\n\\nAssistant:"
      let chat = #""messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]"#
      let whole = try await server.send(
        "POST", "/v1/completions", #"{\#(fields), "prompt": "\#(prompt)", "stop": "\n\nUser:"}"#)
      #expect(whole.status == 200)
      #expect(whole.headers["content-type"] == "application/json")
      let body = try json(whole)
      let texts = try #require(body["choices"]?.array).compactMap { $0["text"]?.string }
      #expect(texts.count == 2 && texts[0] != texts[1])
      #expect(body["usage"]?["completion_tokens"]?.integer == 80)

      let stream = try await server.send(
        "POST", "/v1/completions", #"{\#(fields), "prompt": "\#(prompt)", "stop": "\n\nUser:", "stream": true}"#)
      #expect(stream.headers["content-type"]?.hasPrefix("text/event-stream") == true)
      #expect(stream.events.last == "[DONE]")
      var streamed = ["", ""]
      for event in stream.events.dropLast() {
        let choice = try #require(try JSONParser.parse(Array(event.utf8))["choices"]?.array?.first)
        streamed[choice["index"]?.integer ?? 0] += choice["text"]?.string ?? ""
      }
      #expect(streamed == texts)

      let answer = try json(await server.send("POST", "/v1/chat/completions", "{\(fields), \(chat)}"))
      let answers = try #require(answer["choices"]?.array).compactMap { $0["message"]?["content"]?.string }
      #expect(answers == texts.map { String($0.drop(while: \.isWhitespace)) })
    }
  }

  @Test("models, health and metrics are shown", .timeLimit(.minutes(10)))
  func status() async throws {
    try await TestServer.run { server in
      let models = try json(await server.send("GET", "/v1/models"))
      #expect(models["data"]?.array?.map { $0["id"]?.string } == ["tiny"])
      #expect(try await server.send("GET", "/v1/models/tiny").status == 200)
      #expect(try await server.send("GET", "/v1/models/other").status == 404)
      let health = try await server.send("GET", "/health")
      #expect(health.status == 200)
      #expect(health.body == #"{"status":"ok","models":{"tiny":"ready"}}"#)
      _ = try await server.send("POST", "/v1/completions", #"{"model": "tiny", "prompt": "abcd", "max_tokens": 10}"#)
      let metrics = try await server.send("GET", "/metrics").body
      #expect(metrics.contains(#"calm_requests_total{route="/v1/completions",status="200"} 1"#))
      #expect(metrics.contains(#"calm_prompt_tokens_total{model="tiny"} 4"#))
      #expect(metrics.contains(#"calm_generated_tokens_total{model="tiny"} 10"#))
      #expect(metrics.contains(#"calm_time_to_first_piece_seconds_count{model="tiny"} 1"#))
      #expect(metrics.contains(#"calm_batch_size_count{model="tiny"} 3"#))
      #expect(metrics.contains(#"calm_samples_per_chunk_bucket{model="tiny",le="1"} 3"#))
      #expect(metrics.contains(#"calm_cache_reserved_bytes{model="tiny"} 0"#))
    }
  }

  @Test("wrong requests get an error in OpenAI's form", .timeLimit(.minutes(10)))
  func errors() async throws {
    try await TestServer.run { server in
      let good = #"{"model": "tiny", "prompt": "a"}"#
      for (method, path, body, headers, status) in [
        ("GET", "/nothing", "", [], 404), ("GET", "/v1/completions", "", [], 405), ("POST", "/health", good, [], 405),
        ("POST", "/v1/completions", "{", [], 400), ("POST", "/v1/completions", #"{"model": "other"}"#, [], 404),
        ("POST", "/v1/completions", #"{"model": "tiny", "n": 0}"#, [], 400),
        ("GET", "/../../etc/passwd", "", [], 404), ("GET", "/v1/models/..%2f..%2fx", "", [], 404),
      ] as [(String, String, String, [String], Int)] {
        let reply = try await server.send(method, path, body, headers: headers)
        #expect(reply.status == status, "\(method) \(path)")
        let error = try json(reply)["error"]
        #expect(error?["message"]?.string?.isEmpty == false && error?["type"]?.string != nil, "\(path)")
      }
      // A page of another site can send this without asking.
      let plain = server.request("POST", "/v1/completions", good).replacing("application/json", with: "text/plain")
      #expect(try await server.sendText(plain).status == 415)
    }
  }

  @Test("a number that is not finite is an error of the request, whole or streamed", .timeLimit(.minutes(10)))
  func notFinite() async throws {
    try await TestServer.run(isDamaged: true) { server in
      let whole = try await server.send("POST", "/v1/completions", #"{"model": "tiny", "prompt": "~~~~"}"#)
      #expect(whole.status == 500)
      #expect(try json(whole)["error"]?["code"]?.string == "not_finite")
      let stream = try await server.send(
        "POST", "/v1/completions", #"{"model": "tiny", "prompt": "~~~~", "stream": true}"#)
      #expect(stream.status == 200)
      #expect(stream.events.count == 1)
      #expect(stream.events.first?.contains(#""code":"not_finite""#) == true)
      try await server.waitUntilIdle()
    }
  }

  @Test("a number that is not finite ends its own request only", .timeLimit(.minutes(10)))
  func notFiniteAlone() async throws {
    try await TestServer.run(isDamaged: true) { server in
      func body(_ seed: Int) -> String {
        #"{"model": "tiny", "prompt": "abcd", "max_tokens": 200, "seed": \#(seed), "stream": true}"#
      }
      func texts(_ reply: Reply) throws -> [String?] {
        try reply.events.dropLast().map {
          try JSONParser.parse(Array($0.utf8))["choices"]?.array?.first?["text"]?.string
        }
      }
      // A seed with which the model does not generate the damaged token by itself.
      var seed = 1
      var alone = try await server.send("POST", "/v1/completions", body(seed))
      while alone.events.last != "[DONE]" {
        seed += 1
        alone = try await server.send("POST", "/v1/completions", body(seed))
      }
      let (port, sound) = (server.port, server.request("POST", "/v1/completions", body(seed)))
      async let together = TestServer.onThread {
        let client = try SocketClient(port: port)
        client.transmit(sound)
        return Reply(client.receive())
      }
      try await server.waitUntilBusy()
      for _ in 0..<3 {
        let damaged = #"{"model": "tiny", "prompt": "abcd~~~~", "n": 3}"#
        #expect(try await server.send("POST", "/v1/completions", damaged).status == 500)
      }
      let reply = try await together
      #expect(reply.events.last == "[DONE]")
      #expect(try texts(reply).compactMap { $0 }.joined() == texts(alone).compactMap { $0 }.joined())
    }
  }

  @Test("many requests at once each get their own text", .timeLimit(.minutes(10)))
  func many() async throws {
    try await TestServer.run(EngineLimits(sequences: 8)) { server in
      func text(_ seed: Int) async throws -> String? {
        let body = #"{"model": "tiny", "prompt": "Once", "max_tokens": 30, "seed": \#(seed)}"#
        return try json(await server.send("POST", "/v1/completions", body))["choices"]?.array?.first?["text"]?.string
      }
      let alone = try await text(7)
      let together = try await withThrowingTaskGroup(of: (Int, String?).self) { group in
        for seed in 0..<32 { group.addTask { (seed, try await text(seed)) } }
        return try await group.reduce(into: [Int: String?]()) { $0[$1.0] = $1.1 }
      }
      #expect(together[7] == alone)
      #expect(Set(together.values.map { $0 ?? "" }).count == 32)
    }
  }
}
