import CALMCorpus
import CALMSupport
import Testing

@Suite("Story splitter")
struct StorySplitterTests {
  private let grammar = StoryGrammar()

  @Test(
    "Text is split at the ends of sentences, including quotations",
    arguments: [
      ("Tom ran. Mia sat.", ["Tom ran.", "Mia sat."]),
      ("\"Thank you, Tom!\" said Mia. Tom ran.", ["\"Thank you, Tom!\" said Mia.", "Tom ran."]),
      ("Mia said, \"Thank you!\" Tom ran.", ["Mia said, \"Thank you!\"", "Tom ran."]),
      ("\"Do not cry. I will help,\" said Tom.", ["\"Do not cry. I will help,\" said Tom."]),
      ("\"Yes!\" \"No!\" Tom ran.", ["\"Yes!\"", "\"No!\"", "Tom ran."]),
      ("Really?! Yes... Tom ran.", ["Really?!", "Yes...", "Tom ran."]),
      ("  Tom ran.\n\nMia  sat.\t", ["Tom ran.", "Mia  sat."]),
      ("It cost 3.50 coins.", ["It cost 3.50 coins."]),
    ])
  func wellFormed(text: String, sentences: [String]) {
    let result = grammar.sentences(in: text)
    #expect(result.complete == sentences)
    #expect(result.remainder == nil)
  }

  @Test(
    "An unpaired quotation mark affects only the adjacent sentences",
    arguments: [
      ("\"Thank you, Tom! said Mia. Tom ran.", ["\"Thank you, Tom!", "said Mia.", "Tom ran."]),
      ("Thank you, Tom!\" said Mia. Tom ran.", ["Thank you, Tom!\" said Mia.", "Tom ran."]),
      (
        "\"Thank you. Tom ran. \"Oh!\" said Mia. She sat.",
        ["\"Thank you.", "Tom ran.", "\"Oh!\" said Mia.", "She sat."]
      ),
      ("Tom ran.\" Mia sat.", ["Tom ran.\"", "Mia sat."]),
      ("\" \" \"\" Tom ran.", ["\" \" \"\" Tom ran."]),
    ])
  func strayMarks(text: String, sentences: [String]) {
    #expect(grammar.sentences(in: text).complete == sentences)
  }

  @Test(
    "An incomplete last sentence is returned as the remainder",
    arguments: [("Tom ran. Mia s", "Mia s"), ("Tom", "Tom"), ("Tom ran. \"Oh, said Mia", "\"Oh, said Mia")])
  func remainder(text: String, rest: String) {
    #expect(grammar.sentences(in: text).remainder == rest)
  }

  @Test("Splitting text into sentences loses only white space between sentences")
  func completeness() {
    let alphabet = Array("aB .!?\"\n,é")
    var generator = SeededGenerator(seed: 31)
    for _ in 0..<5000 {
      let text = String(
        (0..<generator.uniform(below: 40)).map { _ in alphabet[generator.uniform(below: alphabet.count)] })
      let result = grammar.sentences(in: text)
      let parts = result.complete + (result.remainder.map { [$0] } ?? [])
      #expect(parts.joined().filter { !$0.isWhitespace } == text.filter { !$0.isWhitespace })
      #expect(parts.allSatisfy { !$0.isEmpty })
    }
  }
}
