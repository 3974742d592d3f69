import CALM
import Foundation
import Testing

/// The program `calm serve`, from its options to its end.
@Suite("calm serve")
final class ProgramTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "calm-serve-\(UUID().uuidString)")
  private var model: String { folder.appending(path: "lm/model").path }

  init() throws {
    let url = folder.appending(path: "lm/model")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    try TestServer.languageModel(maximumPositions: 1 << 18)
      .save(to: url, tokenizer: Data(TestServer.tokenizer().fileBytes()))
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func write(_ text: String, _ name: String) throws -> String {
    let url = folder.appending(path: name)
    try Data(text.utf8).write(to: url)
    return url.path
  }

  /// The body of a request for a stream of a number of tokens.
  private func body(tokens: Int, model: String = "lm") -> String {
    #"{"model": "\#(model)", "prompt": "abcd", "seed": 1, "max_tokens": \#(tokens), "stream": true}"#
  }

  /// A client that has received the first event of a stream.
  private func stream(_ port: Int, tokens: Int) async throws -> (client: SocketClient, received: String) {
    let body = body(tokens: tokens)
    return try await TestServer.onThread {
      let client = try SocketClient(port: port)
      client.transmit(ServeProcess.request("POST", "/v1/completions", body))
      return (client, client.receive(until: "data: "))
    }
  }

  @Test(
    "models are named after their folders or by --model, and --api-key-file protects them", .timeLimit(.minutes(10)))
  func options() async throws {
    let keys = try write("# two keys\n\nfirst\n  other-key \n", "keys")
    let server = try ServeProcess([model, "--model", "other=\(model)", "--api-key-file", keys], in: folder)
    let port = try await server.port()
    #expect(try await ServeProcess.reply(port, "GET", "/v1/models").status == 401)
    #expect(try await ServeProcess.reply(port, "GET", "/v1/models", key: "# two keys").status == 401)
    let models = try await ServeProcess.reply(port, "GET", "/v1/models", key: "other-key").body
    #expect(models.contains(#""id":"lm""#) && models.contains(#""id":"other""#))
    let replies = try await ["lm", "other"].asyncMap {
      try await ServeProcess.reply(port, "POST", "/v1/completions", body(tokens: 20, model: $0), key: "first")
    }
    #expect(replies.map(\.status) == [200, 200])
    #expect(replies.allSatisfy { $0.events.last == "[DONE]" })
    // Neither prompt, key nor folder is in the log.
    #expect(!["abcd", "other-key", folder.path].contains { server.messages.contains($0) })
    server.terminate()
    #expect(try await server.end() == 0)
  }

  @Test("at SIGTERM, running streams end by themselves within --drain", .timeLimit(.minutes(10)))
  func drains() async throws {
    let server = try ServeProcess([model, "--drain", "100", "--max-new-tokens", "4000"], in: folder)
    let port = try await server.port()
    let (client, received) = try await stream(port, tokens: 4_000)
    server.terminate()
    let rest = try await TestServer.onThread { client.receive(until: nil) }
    #expect(Reply(received + rest).events.last == "[DONE]")
    #expect(try await server.end() == 0)
  }

  @Test(
    "at SIGTERM, new requests are refused, and streams that take longer than --drain end with an error",
    .timeLimit(.minutes(10)))
  func ends() async throws {
    let server = try ServeProcess([model, "--drain", "2", "--max-new-tokens", "1000000"], in: folder)
    let port = try await server.port()
    let (client, received) = try await stream(port, tokens: 1_000_000)
    server.terminate()
    // Either the engine refuses it, or nobody listens any more.
    var status = 200
    while status == 200 {
      status = (try? await ServeProcess.reply(port, "POST", "/v1/completions", body(tokens: 4)).status) ?? 503
    }
    #expect(status == 503 || status == 0)
    let rest = try await TestServer.onThread { client.receive(until: nil) }
    let events = Reply(received + rest).events
    #expect(events.last?.contains(#""code":"unavailable""#) == true)
    #expect(!events.contains("[DONE]"))
    #expect(try await server.end() == 0)
  }

  @Test("wrong options end the program with one line about what to do", .timeLimit(.minutes(10)))
  func wrongOptions() async throws {
    let (empty, spaced) = (try write("# none\n", "empty"), try write("a b\n", "spaced"))
    for (arguments, status, message) in [
      ([], 64, "no model"), ([model, "--model", "other"], 64, "give NAME=FOLDER"),
      ([model, "--model", "lm=\(model)"], 64, "two models are named lm"),
      ([model, "--cors-origin", "*"], 64, "--cors-origin *: give a scheme and a name"),
      ([model, "--api-key-file", empty], 1, "contains no key"),
      ([model, "--api-key-file", spaced], 1, "a key has a space"),
      ([folder.path], 1, folder.path),
    ] as [([String], Int32, String)] {
      let server = try ServeProcess(arguments, in: folder)
      #expect(try await server.end() == status, "\(arguments)")
      let lines = server.messages.split(separator: "\n").filter { $0.hasPrefix("Error: ") }
      #expect(lines.count == 1 && lines[0].contains(message), "\(server.messages)")
    }
  }
}

extension Sequence {
  fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
    var values: [Value] = []
    for element in self { values.append(try await transform(element)) }
    return values
  }
}
