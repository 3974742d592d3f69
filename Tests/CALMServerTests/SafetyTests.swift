import CALMServer
import CALMServing
import Foundation
import Testing

@Suite("Safe defaults")
struct SafetyTests {
  private static let good = #"{"model": "tiny", "prompt": "abcd"}"#
  /// A request that runs for seconds: each chunk is chosen among 1,000 candidates.
  private static let long = """
    {"model": "tiny", "prompt": "abcd", "max_tokens": 1024, "stream": true, "n": 4, "temperature": 0.5, \
    "calm": {"pool": 1000}}
    """

  @Test("with keys, every route but /health needs one of them", .timeLimit(.minutes(10)))
  func keys() async throws {
    let settings = TestServer.settings { $0.keys = ["first", "second"] }
    try await TestServer.run(settings: settings) { (server: TestServer) async throws in
      for path in ["/v1/models", "/metrics", "/nothing"] {
        #expect(try await server.send("GET", path).status == 401, "\(path)")
      }
      #expect(try await server.send("GET", "/health").status == 200)
      for key in ["first", "second"] {
        #expect(try await server.send("GET", "/v1/models", headers: ["Authorization: Bearer \(key)"]).status == 200)
      }
      for value in ["Bearer firs", "Bearer firstfirst", "Bearer ", "Basic first", "first", "Bearer first second"] {
        let reply = try await server.send("GET", "/v1/models", headers: ["Authorization: \(value)"])
        #expect(reply.status == 401, "\(value)")
        #expect(reply.headers["www-authenticate"] == "Bearer")
      }
    }
  }

  @Test("on the loopback interface, a request for another host is refused", .timeLimit(.minutes(10)))
  func hosts() async throws {
    let settings = TestServer.settings { $0.hosts = ["models.example"] }
    try await TestServer.run(settings: settings) { (server: TestServer) async throws in
      for host in ["localhost", "127.0.0.1:1234", "[::1]:80", "LOCALHOST:\(server.port)", "models.example"] {
        #expect(try await server.send("GET", "/health", headers: ["Host: \(host)"]).status == 200, "\(host)")
      }
      for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8080", "", "[::1", "localhost:x"] {
        #expect(try await server.send("GET", "/health", headers: ["Host: \(host)"]).status != 200, "\(host)")
      }
    }
  }

  @Test("pages of named origins may use the server, and no others", .timeLimit(.minutes(10)))
  func origins() async throws {
    let question = [
      "Access-Control-Request-Method: POST",
      "Access-Control-Request-Headers: authorization, content-type, x-stainless-os",
    ]
    let (allowed, other) = ("Origin: https://app.example", "Origin: https://app.example.evil")
    let settings = TestServer.settings {
      ($0.origins, $0.keys) = (["https://app.example", "http://localhost:3000"], ["k"])
    }
    try await TestServer.run(settings: settings) { (server: TestServer) async throws in
      let preflight = try await server.send("OPTIONS", "/v1/completions", headers: question + [allowed])
      #expect(preflight.status == 204)
      #expect(preflight.headers["access-control-allow-origin"] == "https://app.example")
      #expect(preflight.headers["access-control-allow-methods"]?.contains("POST") == true)
      #expect(preflight.headers["access-control-allow-headers"] == "authorization, content-type, x-stainless-os")
      #expect(preflight.headers["access-control-allow-credentials"] == nil)
      // Also errors can be read. A preflight has no key, but every other request needs one.
      let refused = try await server.send("GET", "/v1/models", headers: [allowed])
      #expect(refused.status == 401)
      #expect(refused.headers["access-control-allow-origin"] == "https://app.example")
      #expect(refused.headers["vary"] == "Origin")
      for origin in [other, "Origin: null", "Origin: http://localhost:3001"] {
        let preflight = try await server.send("OPTIONS", "/v1/completions", headers: question + [origin])
        #expect(preflight.status >= 400, "\(origin)")
        let reply = try await server.send("GET", "/v1/models", headers: [origin, "Authorization: Bearer k"])
        #expect(reply.status == 200)
        #expect(reply.headers["access-control-allow-origin"] == nil, "\(origin)")
        #expect(reply.headers["vary"] == "Origin")
      }
      let foreign = ["Host: evil.example", allowed]
      #expect(try await server.send("OPTIONS", "/v1/models", headers: question + foreign).status == 403)
    }
    try await TestServer.run { (server: TestServer) async throws in
      let preflight = try await server.send("OPTIONS", "/v1/completions", headers: question + [allowed])
      #expect(preflight.status == 405)
      #expect(!preflight.headers.keys.contains { $0.hasPrefix("access-control") || $0 == "vary" })
    }
  }

  @Test(
    "an origin has a scheme and a name, and no path",
    arguments: [
      ("https://app.example", true), ("http://localhost:3000", true), ("http://[::1]:80", true), ("*", false),
      ("app.example", false), ("https://app.example/", false), ("https://", false), ("https://a b", false),
      ("null", false), ("https://app.example:", false),
    ])
  func isOrigin(text: String, isOrigin: Bool) {
    #expect(CrossOrigin.isOrigin(text) == isOrigin)
  }

  @Test("large bodies and headers are refused, declared or not", .timeLimit(.minutes(10)))
  func sizes() async throws {
    let settings = TestServer.settings { $0.bodyBytes = 10_000 }
    try await TestServer.run(settings: settings) { (server: TestServer) async throws in
      let large = #"{"model": "tiny", "prompt": "\#(String(repeating: "a", count: 20_000))"}"#
      #expect(try await server.send("POST", "/v1/completions", large).status == 413)
      let chunked =
        server.request(
          "POST", "/v1/completions", headers: ["Transfer-Encoding: chunked", "Content-Type: application/json"])
        + String(large.utf8.count, radix: 16) + "\r\n" + large + "\r\n0\r\n\r\n"
      #expect(try await server.sendText(chunked).status == 413)
      let header = "X-Large: \(String(repeating: "a", count: 10_000))"
      #expect(try await server.send("GET", "/health", headers: [header]).status != 200)
      let headers = (0..<200).map { "X-\($0): a" }
      #expect(try await server.send("GET", "/health", headers: headers).status != 200)
      #expect(try await server.send("GET", "/health").status == 200)
    }
  }

  @Test(
    "connections that send nothing, or a body byte by byte, are closed, and others are served", .timeLimit(.minutes(10))
  )
  func slowSenders() async throws {
    let short = Duration.milliseconds(300)
    let settings = TestServer.settings { ($0.idleTime, $0.transferTime) = (short, short) }
    try await TestServer.run(settings: settings) { (server: TestServer) async throws in
      let silent = try (0..<20).map { _ in try SocketClient(port: server.port) }
      let dribbling = try SocketClient(port: server.port)
      dribbling.transmit("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
      dribbling.transmit("Content-Length: 1000\r\n\r\n")
      #expect(try await server.send("POST", "/v1/completions", Self.good).status == 200)
      let wasClosed = try await TestServer.onThread {
        // Far longer than the limit, a byte at a time.
        for _ in 0..<1_000 {
          if !dribbling.transmit("a") { return true }
          usleep(10_000)
        }
        return false
      }
      #expect(wasClosed)
      for client in silent { #expect(try await TestServer.onThread { client.receive() }.isEmpty) }
    }
  }

  @Test("clients that send nothing do not keep others out", .timeLimit(.minutes(10)))
  func idleConnections() async throws {
    let settings = TestServer.settings { ($0.connections, $0.idleTime) = (8, .seconds(600)) }
    try await TestServer.run(settings: settings) { (server: TestServer) async throws in
      let silent = try (0..<40).map { _ in try SocketClient(port: server.port) }
      for _ in 0..<3 { #expect(try await server.send("POST", "/v1/completions", Self.good).status == 200) }
      #expect(try await TestServer.onThread { silent[0].receive() }.isEmpty)
    }
  }

  @Test("a client that is gone frees its places, whole or streamed, running or waiting", .timeLimit(.minutes(10)))
  func disconnects() async throws {
    try await TestServer.run(EngineLimits(sequences: 4)) { (server: TestServer) async throws in
      for isStream in [true, false] {
        let body = isStream ? Self.long : Self.long.replacing(#""stream": true, "#, with: "")
        let clients = try (0..<3).map { _ in
          let client = try SocketClient(port: server.port)
          client.transmit(server.request("POST", "/v1/completions", body))
          return client
        }
        while server.engine.status.running + server.engine.status.waiting < 12 {
          try await Task.sleep(for: .milliseconds(1))
        }
        for client in clients { client.hangUp() }
        try await server.waitUntilIdle()
        #expect(server.engine.status.cacheBytes == 0)
      }
    }
  }

  @Test("a full queue is refused with 429 and a time to wait", .timeLimit(.minutes(10)))
  func queueFull() async throws {
    try await TestServer.run(EngineLimits(sequences: 4, queue: 0)) { (server: TestServer) async throws in
      let client = try SocketClient(port: server.port)
      client.transmit(server.request("POST", "/v1/completions", Self.long))
      try await server.waitUntilBusy()
      let reply = try await server.send("POST", "/v1/completions", Self.good)
      #expect(reply.status == 429)
      #expect(reply.headers["retry-after"] == "1")
      client.hangUp()
      try await server.waitUntilIdle()
      #expect(try await server.send("POST", "/v1/completions", Self.good).status == 200)
    }
  }

  @Test("a request that takes too long ends with an error", .timeLimit(.minutes(10)))
  func requestTime() async throws {
    let settings = TestServer.settings { $0.requestTime = .zero }
    try await TestServer.run(settings: settings) { (server: TestServer) async throws in
      #expect(try await server.send("POST", "/v1/completions", Self.good).status == 408)
      let stream = try await server.send("POST", "/v1/completions", Self.long)
      #expect(stream.events.last?.contains(#""code":"timeout""#) == true)
    }
  }

  @Test("bytes that are no HTTP do not stop the server", .timeLimit(.minutes(10)))
  func noise() async throws {
    try await TestServer.run { (server: TestServer) async throws in
      for text in [
        "\r\n\r\n", "GET\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
      ] {
        let port = server.port
        try await TestServer.onThread {
          let client = try SocketClient(port: port)
          client.transmit(text)
          client.hangUp()
        }
      }
      #expect(try await server.send("GET", "/health").status == 200)
    }
  }

  @Test("a body that breaks off is no error of the server", .timeLimit(.minutes(10)))
  func brokenBody() async throws {
    try await TestServer.run { (server: TestServer) async throws in
      let port = server.port
      let text = server.request("POST", "/v1/completions", Self.good)
      try await TestServer.onThread {
        let client = try SocketClient(port: port)
        client.transmit(String(text.dropLast(5)))
        client.hangUp()
      }
      let counted = #"calm_requests_total{route="/v1/completions",status="499"} 1"#
      while try await !server.send("GET", "/metrics").body.contains("calm_requests_total{route=\"/v1/completions\"") {
        try await Task.sleep(for: .milliseconds(2))
      }
      #expect(try await server.send("GET", "/metrics").body.contains(counted))
    }
  }
}
