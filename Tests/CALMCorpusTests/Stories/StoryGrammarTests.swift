import CALMCorpus
import CALMSupport
import Testing

@Suite("Recognition of tales")
struct TaleGrammarTests {
  private let grammar = StoryGrammar()

  @Test("every story told is accepted, consistent and complete")
  func completeness() {
    var generator = SeededGenerator(seed: 41)
    let tales = SyntheticStories()
    for _ in 0..<2000 {
      let story = tales.story(using: &generator)
      let judgement = grammar.judge(story)
      #expect(judgement.problem == nil, "\(story)")
      #expect(judgement.isComplete, "\(story)")
      #expect(judgement.acceptedSentences == judgement.sentences, "\(story)")
    }
  }

  @Test("a story cut anywhere is consistent, and complete only with its last letter")
  func cutStories() {
    var generator = SeededGenerator(seed: 42)
    let tales = SyntheticStories()
    for _ in 0..<10 {
      let story = tales.story(using: &generator)
      for length in 1..<story.count {
        let cut = String(story.prefix(length))
        let judgement = grammar.judge(cut)
        #expect(judgement.problem == nil, "\(cut)")
        #expect(!judgement.isComplete, "\(cut)")
      }
    }
  }

  @Test("sentences are accepted with any words in their slots, but only with those that agree")
  func sentences() {
    #expect(grammar.accepts(sentence: "Once there was a kind girl named Mia."))
    #expect(grammar.accepts(sentence: "Lily was a funny girl who loved to play."))
    #expect(grammar.accepts(sentence: "\"Thank you, Tom!\" said Mia, and they went home."))
    #expect(!grammar.accepts(sentence: "Once there was a kind boy named Mia."))
    #expect(!grammar.accepts(sentence: "\"Thank you, Mia!\" said Mia, and they went home."))
    #expect(!grammar.accepts(sentence: "Once there was a kind girl named Tom."))
    #expect(!grammar.accepts(sentence: "Mia was so happy that he hugged Tom."))
    #expect(!grammar.accepts(sentence: "Her favorite toy was a orange ball."))
    #expect(!grammar.accepts(sentence: "once there was a kind girl named Mia."))
    #expect(!grammar.accepts(sentence: "Once there was a kind girl named Mia"))
    #expect(!grammar.accepts(sentence: "Once there was a kind  girl named Mia."))
    #expect(!grammar.accepts(sentence: " Once there was a kind girl named Mia."))
    #expect(!grammar.accepts(sentence: ""))
  }

  /// A story of the first plot, to be changed in one place.
  private let story = """
    Once there was a kind girl named Mia. Her favorite toy was a red ball. One day, Mia took the ball to the park. \
    But when it was time to leave the park, the ball was gone. Her friend Tom came to the park to help. They looked \
    behind a rock, but the ball was not there. At last, Tom found the ball under a bench. Tom gave the red ball back \
    to Mia. Then Mia and Tom played in the park with the red ball.
    """

  @Test(
    "the first problem is named",
    arguments: [
      ("found the ball", "found the doll", 7, StoryProblem.Kind.wrongWord(found: "doll", expected: "ball")),
      ("Her friend", "His friend", 5, .wrongPronoun(found: "His", person: "Mia")),
      ("to the park to help", "to the lake to help", 5, .wrongWord(found: "lake", expected: "park")),
      ("back to Mia", "back to Lily", 8, .wrongWord(found: "Lily", expected: "Mia")),
      (
        "Tom gave the red ball back to Mia.", "Sam gave the red ball back to Mia.", 8,
        .wrongWord(found: "Sam", expected: "Tom")
      ),
      ("under a bench", "behind a rock", 7, .usedTwice("rock")),
      (
        "Tom gave the red ball back to Mia.", "Mia picked up the ball and held it tight.", 8,
        .untrue("Mia has the ball")
      ),
      ("At last, Tom found the ball under a bench. ", "", 7, .outOfOrder),
      ("Her favorite toy was a red ball. ", "", 2, .outOfOrder),
      ("They looked behind", "They looks behind", 6, .notASentence),
      ("with the red ball.", "with the red ball. Ben was a kind boy who loved to play.", 10, .afterTheEnd),
      ("with the red ball.", "with the red ball. Tom", 10, .afterTheEnd),
      ("One day, Mia took the ball to the park.", "Then big drops of rain fell from the sky.", 3, .anotherStory),
    ])
  func problems(old: String, new: String, sentence: Int, kind: StoryProblem.Kind) {
    let judgement = grammar.judge(story.replacing(old, with: new))
    #expect(judgement.problem == StoryProblem(sentence: sentence, kind: kind))
  }

  @Test(
    "text that is no tale is judged without a fault", arguments: ["", " \n", "\"", ".", "Mia", "é\u{0}\"!?. \" \"."])
  func garbage(text: String) {
    let judgement = grammar.judge(text)
    #expect(judgement.acceptedSentences == 0)
    #expect(!judgement.isComplete)
    #expect(judgement.isConsistent == (text == "Mia"))
  }

  @Test("a report sums judgements")
  func report() {
    let cut = "Once there was a kind girl named Mia. Her fav"
    let report = StoryReport(judging: [story, cut, "Tom ran. " + story], by: grammar)
    #expect(report.stories == 3)
    #expect(report.consistentStories == 2)
    #expect(report.completeStories == 1)
    #expect(report.sentences == 9 + 1 + 10)
    #expect(report.acceptedSentences == 9 + 1 + 9)
    #expect(report.consistentShare == 2.0 / 3)
    #expect(report.completeShare == 1.0 / 3)
    #expect(report.acceptedShare == 19.0 / 20)
    #expect(StoryReport().acceptedShare == 0)
  }
}
