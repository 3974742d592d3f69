/// The summed judgements of several stories.
public struct StoryReport: Hashable, Sendable, Codable {
  /// The number of judged stories.
  public private(set) var stories = 0
  /// The number of consistent stories, complete or not.
  public private(set) var consistentStories = 0
  /// The number of consistent and complete stories.
  public private(set) var completeStories = 0
  /// The number of complete sentences in all stories.
  public private(set) var sentences = 0
  /// The number of complete sentences that the grammar accepts.
  public private(set) var acceptedSentences = 0

  /// Creates an empty report.
  public init() {}

  /// Judges stories and sums the judgements.
  public init(judging stories: some Sequence<String>, by grammar: StoryGrammar = StoryGrammar()) {
    for story in stories { add(grammar.judge(story)) }
  }

  /// Adds the judgement of a story.
  public mutating func add(_ judgement: StoryJudgement) {
    stories += 1
    consistentStories += judgement.isConsistent ? 1 : 0
    completeStories += judgement.isComplete ? 1 : 0
    sentences += judgement.sentences
    acceptedSentences += judgement.acceptedSentences
  }

  /// The fraction of accepted sentences, from 0 to 1; 0 without sentences.
  public var acceptedFraction: Double { fraction(acceptedSentences, of: sentences) }

  /// The fraction of consistent stories, from 0 to 1; 0 without stories.
  public var consistentFraction: Double { fraction(consistentStories, of: stories) }

  /// The fraction of consistent and complete stories, from 0 to 1; 0 without stories.
  public var completeFraction: Double { fraction(completeStories, of: stories) }

  private func fraction(_ part: Int, of whole: Int) -> Double {
    whole == 0 ? 0 : Double(part) / Double(whole)
  }
}
