import CALMCorpus
import CALMSupport
import Testing

@Suite("Story grammar")
struct StoryGrammarTests {
  private let grammar = StoryGrammar()

  @Test("The grammar judges every generated story accepted, consistent and complete")
  func completeness() {
    var generator = SeededGenerator(seed: 41)
    let source = SyntheticStories()
    for _ in 0..<2000 {
      let story = source.story(using: &generator)
      let judgement = grammar.judge(story)
      #expect(judgement.problem == nil, "\(story)")
      #expect(judgement.isComplete, "\(story)")
      #expect(judgement.acceptedSentences == judgement.sentences, "\(story)")
    }
  }

  @Test("A story truncated anywhere is consistent but not complete")
  func cutStories() {
    var generator = SeededGenerator(seed: 42)
    let source = SyntheticStories()
    for _ in 0..<10 {
      let story = source.story(using: &generator)
      for length in 1..<story.count {
        let cut = String(story.prefix(length))
        let judgement = grammar.judge(cut)
        #expect(judgement.problem == nil, "\(cut)")
        #expect(!judgement.isComplete, "\(cut)")
      }
    }
  }

  @Test("The grammar accepts a sentence with any words in its slots that agree with each other")
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

  /// A story of the first plot.
  private let story = """
    Once there was a kind girl named Mia. Her favorite toy was a red ball. One day, Mia took the ball to the park. \
    But when it was time to leave the park, the ball was gone. Her friend Tom came to the park to help. They looked \
    behind a rock, but the ball was not there. At last, Tom found the ball under a bench. Tom gave the red ball back \
    to Mia. Then Mia and Tom played in the park with the red ball.
    """

  @Test(
    "The judgement of a story contains its first problem",
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
    "The grammar judges text that is not a story without crashing",
    arguments: ["", " \n", "\"", ".", "Mia", "é\u{0}\"!?. \" \"."])
  func garbage(text: String) {
    let judgement = grammar.judge(text)
    #expect(judgement.acceptedSentences == 0)
    #expect(!judgement.isComplete)
    #expect(judgement.isConsistent == (text == "Mia"))
  }

  @Test("A story report sums judgements")
  func report() {
    let cut = "Once there was a kind girl named Mia. Her fav"
    let report = StoryReport(judging: [story, cut, "Tom ran. " + story], by: grammar)
    #expect(report.stories == 3)
    #expect(report.consistentStories == 2)
    #expect(report.completeStories == 1)
    #expect(report.sentences == 9 + 1 + 10)
    #expect(report.acceptedSentences == 9 + 1 + 9)
    #expect(report.consistentFraction == 2.0 / 3)
    #expect(report.completeFraction == 1.0 / 3)
    #expect(report.acceptedFraction == 19.0 / 20)
    #expect(StoryReport().acceptedFraction == 0)
  }
}
