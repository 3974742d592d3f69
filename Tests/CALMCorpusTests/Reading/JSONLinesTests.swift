import CALMCorpus
import Foundation
import Testing

@Suite("JSON Lines")
struct JSONLinesTests {
  /// The texts of the accepted lines by line number.
  private func accepted(_ lines: [[UInt8]]) throws -> [Int: String] {
    let folder = try ScratchFolder()
    let path = try folder.write(lines.joined(separator: [0x0A]), to: "a.jsonl")
    let reader = try CorpusReader(paths: [path], options: CorpusOptions(skipMalformed: true))
    var texts: [Int: String] = [:]
    while let document = try reader.next() { texts[document.line] = document.text }
    return texts
  }

  @Test("Escapes in JSON strings are decoded according to RFC 8259")
  func escapes() throws {
    let lines = [
      (#"{"text": "\"\\\/\b\f\n\r\t"}"#, "\"\\/\u{8}\u{C}\n\r\t"),
      (#"{"text": "\u0041\u00e9\u20AC"}"#, "Aé€"),
      (#"{"text": "\ud83d\ude00!"}"#, "\u{1F600}!"),
      (#"{"text": "\uDBFF\uDFFF"}"#, "\u{10FFFF}"),
      (#"{"text": "\u0000"}"#, "\u{0}"),
      (#"{"\u0074ext": "key"}"#, "key"),
      (#"  { "a" : [ ] , "b" : { } , "text" : "spaces" }  "#, "spaces"),
      (#"{"text": "first", "text": "last"}"#, "last"),
      (#"{"o": {"text": "inner"}, "text": "outer"}"#, "outer"),
    ]
    let texts = try accepted(lines.map { Array($0.0.utf8) })
    for (index, line) in lines.enumerated() { #expect(texts[index + 1] == line.1) }
  }

  @Test("An unpaired surrogate escape becomes U+FFFD in a lossy reader")
  func lossySurrogates() throws {
    let folder = try ScratchFolder()
    let path = try folder.write(#"{"text": "a\ud800b\udc00\ud83d\u0041"}"#, to: "a.jsonl")
    let reader = try CorpusReader(paths: [path], options: CorpusOptions(lossy: true))
    #expect(try reader.next()?.text == "a\u{FFFD}b\u{FFFD}\u{FFFD}A")
    #expect(reader.progress.repairedDocuments == 1)
  }

  @Test("The line scanner accepts the same damaged lines as Foundation's JSON parser")
  func fuzzedLines() throws {
    var generator = TestGenerator(seed: 11)
    let seeds = [
      #"{"id": -12.5e+3, "text": "a\n\"b\" \u00e9", "x": [true, false, null, {"y": []}]}"#,
      #"{"text": "plain", "n": 0, "m": 10.01, "o": {"a": {"b": [1, 2]}}}"#,
    ].map { Array($0.utf8) }
    let spice = Array("{}[]\",:\\0123456789.eE+-tfnrul \u{1}a".utf8)
    let lines = (0..<20_000).map { _ in
      var line = seeds.randomElement(using: &generator) ?? []
      for _ in 0..<Int.random(in: 1...2, using: &generator) {
        let index = Int.random(in: 0..<line.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: line.remove(at: index)
        case 1: line.insert(spice.randomElement(using: &generator) ?? 0, at: index)
        default: line[index] = spice.randomElement(using: &generator) ?? 0
        }
      }
      return line
    }
    let ours = try accepted(lines)
    var differences: [String] = []
    for (index, line) in lines.enumerated() {
      let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
      let theirs = object?["text"] as? String
      let text = ours[index + 1]
      // An empty text is not a document. Foundation accepts trailing commas and rejects numbers that overflow.
      let shown = String(decoding: line, as: UTF8.self)
      if theirs == "" || shown.contains(/,\s*[\]}]/) || shown.contains(/[0-9][eE]\+?[0-9]{3}/) { continue }
      if text != theirs { differences.append(shown) }
    }
    #expect(differences.isEmpty)
    #expect(ours.count > 1_000 && ours.count < 19_000)
  }
}
