import CALMSupport
import Testing

@Suite("JSON") struct JSONParserTests {
  private func parse(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

  @Test("The JSON parser reads every kind of value and preserves the order of members")
  func values() throws {
    let value = try parse(#" {"b": [1, -2.5e3, true, null], "a": "\u00e9\ud83d\ude00\n", "b": {}} "#)
    #expect(value.object?.map(\.key) == ["b", "a", "b"])
    #expect(value["b"]?.array?.first?.integer == 1)
    #expect(value["a"]?.string == "é😀\n")
    #expect(value["b"]?.array?.last?.isNull == true)
  }

  @Test(
    "The JSON parser rejects invalid JSON",
    arguments: [
      "", "{", "[1,]", "{\"a\" 1}", "nul", "01", "1.", "\"\\x\"", "\"\\ud800\"", "\"a\nb\"", "[1] 2", "{\"a\":1,}",
    ])
  func syntax(text: String) {
    #expect(throws: JSONSyntaxError.self) { try parse(text) }
  }

  @Test("The JSON parser limits the depth and the number of values")
  func bounds() {
    #expect(throws: JSONSyntaxError.self) { try parse(String(repeating: "[", count: 1_000_000)) }
    let many = Array(("[" + String(repeating: "0,", count: 1000) + "0]").utf8)
    #expect(throws: JSONSyntaxError.self) { try JSONParser.parse(many, maximumCount: 1000) }
    #expect(throws: Never.self) { try JSONParser.parse(many, maximumCount: 1002) }
  }
}
