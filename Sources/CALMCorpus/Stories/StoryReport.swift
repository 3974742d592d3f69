/// The judgements of many stories, summed.
public struct StoryReport: Hashable, Sendable, Codable {
  /// How many stories were judged.
  public private(set) var stories = 0
  /// How many of them are consistent as far as they go.
  public private(set) var consistentStories = 0
  /// How many of them are consistent and told to the end.
  public private(set) var completeStories = 0
  /// How many complete sentences they have together.
  public private(set) var sentences = 0
  /// How many of those are sentences of the tales.
  public private(set) var acceptedSentences = 0

  /// A report on no story yet.
  public init() {}

  /// Judges stories and sums the judgements.
  public init(judging stories: some Sequence<String>, by grammar: StoryGrammar = StoryGrammar()) {
    for story in stories { add(grammar.judge(story)) }
  }

  /// Counts one more story.
  public mutating func add(_ judgement: StoryJudgement) {
    stories += 1
    consistentStories += judgement.isConsistent ? 1 : 0
    completeStories += judgement.isComplete ? 1 : 0
    sentences += judgement.sentences
    acceptedSentences += judgement.acceptedSentences
  }

  /// The share of sentences accepted, from 0 to 1; 0 if there are none.
  public var acceptedShare: Double { share(acceptedSentences, of: sentences) }

  /// The share of stories that are consistent, from 0 to 1; 0 if there are none.
  public var consistentShare: Double { share(consistentStories, of: stories) }

  /// The share of stories that are consistent and complete, from 0 to 1; 0 if there are none.
  public var completeShare: Double { share(completeStories, of: stories) }

  private func share(_ part: Int, of whole: Int) -> Double {
    whole == 0 ? 0 : Double(part) / Double(whole)
  }
}
