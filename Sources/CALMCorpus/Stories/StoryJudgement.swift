/// What ``StoryGrammar`` finds in a story.
public struct StoryJudgement: Hashable, Sendable {
  /// How many complete sentences the text has.
  public let sentences: Int
  /// How many of them are sentences of the tales.
  public let acceptedSentences: Int
  /// Whether the story is told to its end. One that is cut short, or ends too early, can be consistent as far as it
  /// goes.
  public let isComplete: Bool
  /// The first thing wrong with the story, if anything.
  public let problem: StoryProblem?

  /// Whether everything told is part of one story: sentences of one plot in order, the same names, pronouns, things
  /// and places throughout, nobody giving what he has not got.
  public var isConsistent: Bool { problem == nil }
}

/// The first thing wrong with a story.
public struct StoryProblem: Hashable, Sendable, CustomStringConvertible {
  /// Which sentence, counted from 1.
  public let sentence: Int
  /// What is wrong with it.
  public let kind: Kind

  package init(sentence: Int, kind: Kind) {
    self.sentence = sentence
    self.kind = kind
  }

  /// The ways in which a story can fail.
  public enum Kind: Hashable, Sendable {
    /// The text is empty.
    case nothingTold
    /// The sentence is none that the tales can say.
    case notASentence
    /// A role is played by another word than before: the kite was lost, but a ball is found.
    case wrongWord(found: String, expected: String)
    /// A person is called "he" who is a girl, or the other way round.
    case wrongPronoun(found: String, person: String)
    /// A new person or thing has the name of one that is there already.
    case usedTwice(String)
    /// Something is told that needs a fact, such as "Tom has the kite", that is not so.
    case untrue(String)
    /// Something is told that a fact, such as "Tom is hurt", makes impossible.
    case ruledOut(String)
    /// The sentence belongs to another point of the story.
    case outOfOrder
    /// The sentence belongs to another kind of story.
    case anotherStory
    /// The story was at its end already.
    case afterTheEnd
  }

  /// One line, such as `sentence 6: "ball" where the story has "kite"`.
  public var description: String {
    let reason =
      switch kind {
      case .nothingTold: "nothing is told"
      case .notASentence: "not a sentence of the tales"
      case .wrongWord(let found, let expected): "\"\(found)\" where the story has \"\(expected)\""
      case .wrongPronoun(let found, let person): "\"\(found)\" for \(person)"
      case .usedTwice(let word): "\"\(word)\" is in the story already"
      case .untrue(let fact): "it is not so that \(fact)"
      case .ruledOut(let fact): "it cannot be, because \(fact)"
      case .outOfOrder: "it does not belong at this point of the story"
      case .anotherStory: "it belongs to another kind of story"
      case .afterTheEnd: "the story was at its end already"
      }
    return "sentence \(sentence): \(reason)"
  }
}
