/// The judgement of ``StoryGrammar`` on a story.
public struct StoryJudgement: Hashable, Sendable {
  /// The number of complete sentences.
  public let sentences: Int
  /// The number of complete sentences that the grammar accepts.
  public let acceptedSentences: Int
  /// Whether the story reaches the end of its plot. A truncated story may be consistent without being complete.
  public let isComplete: Bool
  /// The first problem of the story, if any.
  public let problem: StoryProblem?

  /// Whether the whole text is part of one story: sentences of one plot in order, the same names, pronouns, things and
  /// places throughout, and nobody gives away a thing that they do not have.
  public var isConsistent: Bool { problem == nil }
}

/// The first problem of a story.
public struct StoryProblem: Hashable, Sendable, CustomStringConvertible {
  /// The number of the sentence, from 1.
  public let sentence: Int
  /// The kind of problem.
  public let kind: Kind

  package init(sentence: Int, kind: Kind) {
    self.sentence = sentence
    self.kind = kind
  }

  /// The kinds of problems.
  public enum Kind: Hashable, Sendable {
    /// The text is empty.
    case noText
    /// The grammar does not accept the sentence.
    case notASentence
    /// A role has a different word than before: the kite was lost, but a ball is found.
    case wrongWord(found: String, expected: String)
    /// A pronoun does not agree with the person, such as "he" for a girl.
    case wrongPronoun(found: String, person: String)
    /// A new person or thing has the name of an existing one.
    case usedTwice(String)
    /// The sentence requires a fact, such as "Tom has the kite", that is not true.
    case untrue(String)
    /// The sentence contradicts a fact, such as "Tom is hurt".
    case ruledOut(String)
    /// The sentence belongs to another position in the story.
    case outOfOrder
    /// The sentence belongs to another plot.
    case anotherStory
    /// The story has already ended.
    case afterTheEnd
  }

  /// One line, such as `sentence 6: "ball" where the story has "kite"`.
  public var description: String {
    let reason =
      switch kind {
      case .noText: "the text is empty"
      case .notASentence: "not a sentence of the grammar"
      case .wrongWord(let found, let expected): "\"\(found)\" where the story has \"\(expected)\""
      case .wrongPronoun(let found, let person): "\"\(found)\" for \(person)"
      case .usedTwice(let word): "\"\(word)\" is already in the story"
      case .untrue(let fact): "it is not true that \(fact)"
      case .ruledOut(let fact): "it is impossible because \(fact)"
      case .outOfOrder: "it belongs to another position in the story"
      case .anotherStory: "it belongs to another plot"
      case .afterTheEnd: "the story has already ended"
      }
    return "sentence \(sentence): \(reason)"
  }
}
