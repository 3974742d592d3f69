import CALMServer
import CALMServing
import CALMSupport
import Testing

@Suite("Pages")
struct PageTests {
  @Test("the playground loads only its own files, and needs no key", .timeLimit(.minutes(10)))
  func playground() async throws {
    try await TestServer.run(settings: TestServer.settings { $0.keys = ["secret"] }) { (server: TestServer) in
      let page = try await server.send("GET", "/")
      #expect(page.status == 200)
      #expect(page.headers["content-type"] == "text/html; charset=utf-8")
      let policy = try #require(page.headers["content-security-policy"])
      #expect(policy.hasPrefix("default-src 'none'; ") && !policy.contains("unsafe") && !policy.contains("http"))
      #expect(policy.contains("frame-ancestors 'none'"))
      #expect(page.headers["x-content-type-options"] == "nosniff")
      #expect(page.headers["referrer-policy"] == "no-referrer")

      // Every file that the page or one of its scripts names, until none is new.
      var (files, next) = ([String: String](), ["playground.css", "playground.js"])
      for name in next { #expect(page.body.contains("\"\(name)\"")) }
      while let name = next.popLast() {
        let file = try await server.send("GET", "/\(name)")
        #expect(file.status == 200 && !file.body.isEmpty, "\(name)")
        let type = name.hasSuffix(".css") ? "text/css" : "text/javascript"
        #expect(file.headers["content-type"] == "\(type); charset=utf-8")
        #expect(file.headers["content-security-policy"] == policy)
        files[name] = file.body
        next += file.body.matches(of: #/from "\./([^"]+)"/#).map { String($0.1) }.filter { files[$0] == nil }
      }
      // Neither an asset from elsewhere nor code or styles that the policy forbids.
      let forbidden = #/https:\/\/|<script(?![^>]*\ssrc=)|<style|\sstyle="|\son[a-z]+="/#
      for text in [page.body] + files.values {
        let found = text.matches(of: forbidden).map { String($0.0) }
        #expect(found.isEmpty)
      }
      #expect(try await server.send("POST", "/").status == 405)
      #expect(try await server.send("HEAD", "/").body.isEmpty)
      #expect(try await server.send("GET", "/openapi.json").status == 401)
    }
  }

  @Test("the OpenAPI document has every route with its method, and the limits of the server", .timeLimit(.minutes(10)))
  func document() async throws {
    let settings = TestServer.settings { $0.limits.completionTokens = 77 }
    try await TestServer.run(settings: settings) { (server: TestServer) in
      let reply = try await server.send("GET", "/openapi.json")
      #expect(reply.headers["content-type"] == "application/json")
      let document = try JSONParser.parse(Array(reply.body.utf8))
      #expect(document["openapi"]?.string == "3.1.0")
      #expect(document["info"]?["version"]?.string == calmVersion)
      let paths = try #require(document["paths"]?.object)
      #expect(Set(paths.map(\.key)) == Set(Route.allCases.map(\.rawValue) + ["/v1/models/{model}"]))
      for path in paths {
        let method = try #require(path.value.object?.first?.key)
        let other = method == "get" ? "POST" : "GET"
        let name = path.key.replacing("{model}", with: "tiny")
        let wrong = try await server.send(other, name, "{}")
        #expect(wrong.status == 405 && wrong.headers["allow"] == method.uppercased(), "\(name)")
        #expect(try await server.send(method.uppercased(), name, "").status != 405, "\(name)")
      }

      // No name of a value is left, and every reference has its target.
      #expect(reply.body.matches(of: #/"\$(?!ref")/#).isEmpty)
      for match in reply.body.matches(of: #/"#/([^"]+)"/#) {
        let target = match.1.split(separator: "/").reduce(document as JSONValue?) { $0?[String($1)] }
        #expect(target != nil, "\(match.0)")
      }
      let schemas = try #require(document["components"]?["schemas"])
      let fields = try #require(schemas["CompletionRequest"]?["properties"])
      #expect(fields["model"]?["enum"]?.array?.map(\.string) == ["tiny"])
      #expect(fields["max_tokens"]?["maximum"]?.integer == 77)
      #expect(fields["temperature"]?["maximum"]?.integer == 1)
      #expect(document["security"] == nil)
    }
  }

  @Test("a request with every documented field set to null is one without them", .timeLimit(.minutes(10)))
  func nullFields() async throws {
    try await TestServer.run { (server: TestServer) in
      let document = try JSONParser.parse(Array(await server.send("GET", "/openapi.json").body.utf8))
      let schemas = try #require(document["components"]?["schemas"])
      let needed = ["model": #""tiny""#, "prompt": #""abcd""#, "messages": #"[{"role": "user", "content": "a"}]"#]
      for (path, schema) in [
        ("/v1/completions", "CompletionRequest"), ("/v1/chat/completions", "ChatCompletionRequest"),
      ] {
        let names = try #require(schemas[schema]?["properties"]?.object).map(\.key)
        #expect(names.count > 15)
        let fields = names.map { "\"\($0)\": \(needed[$0] ?? ($0.hasPrefix("max") ? "5" : "null"))" }
        #expect(try await server.send("POST", path, "{\(fields.joined(separator: ", "))}").status == 200, "\(path)")
        let unknown = try await server.send("POST", path, "{\(fields.joined(separator: ", ")), \"other\": null}")
        #expect(unknown.status == 400)
      }
    }
  }
}
