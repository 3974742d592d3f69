import CALMServing
import CALMSupport
import Testing

@Suite("Stop strings")
struct StopMatcherTests {
  /// The text before the first stop string, found in the whole text at once.
  private func expected(_ text: String, _ stops: [String]) -> (text: String, isStopped: Bool) {
    let bytes = Array(text.utf8)
    for start in bytes.indices where stops.contains(where: { bytes[start...].starts(with: Array($0.utf8)) }) {
      return (String(decoding: bytes[..<start], as: UTF8.self), true)
    }
    return (text, false)
  }

  @Test("pieces give the text before the first stop string, however the text is cut")
  func anyCut() {
    var generator = SeededGenerator(seed: 1)
    let letters = ["a", "b", "é", "🙂", "\n"]
    func word(_ length: Int) -> String {
      (0..<length).map { _ in letters[generator.uniform(below: letters.count)] }.joined()
    }
    var stopped = 0
    for _ in 0..<500 {
      let stops = (0..<generator.uniform(below: 4)).map { _ in word(1 + generator.uniform(below: 4)) }
      let text = word(generator.uniform(below: 30))
      var matcher = StopMatcher(stops)
      var rest = text[...]
      var found = ""
      while !rest.isEmpty {
        let piece = rest.prefix(1 + generator.uniform(below: 4))
        rest.removeFirst(piece.count)
        found += matcher.append(String(piece))
      }
      found += matcher.finish()
      let whole = expected(text, stops)
      #expect(found == whole.text)
      #expect(matcher.isStopped == whole.isStopped)
      stopped += matcher.isStopped ? 1 : 0
    }
    #expect((100...400).contains(stopped))
  }

  @Test("only text that may begin a stop string is held back")
  func held() {
    var matcher = StopMatcher(["\n\n", "END"])
    #expect(matcher.append("one\n") == "one")
    #expect(matcher.append("two E") == "\ntwo ")
    #expect(matcher.append("N") == "")
    #expect(matcher.append("T") == "ENT")
    #expect(matcher.append("EN") == "")
    #expect(matcher.append("D and more") == "")
    #expect(matcher.isStopped)
    #expect(matcher.append("more") == "")
    #expect(matcher.finish() == "")
  }

  @Test("text that was held back is returned at the end")
  func end() {
    var matcher = StopMatcher(["END"])
    #expect(matcher.append("the EN") == "the ")
    #expect(matcher.finish() == "EN")
  }
}
