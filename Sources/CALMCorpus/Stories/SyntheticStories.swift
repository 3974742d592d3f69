import CALMSupport
import Foundation

/// Short children's stories, told by chance: built-in text to train and judge small language models with.
///
/// A story follows one of eight plots and keeps track of who is who, who has what and where everybody is. Names,
/// things and places that it introduces come back later, so a model fluent in the tales must remember them; whether
/// it does is what ``StoryGrammar`` judges. A story is a single paragraph of nine short sentences in plain ASCII, 81
/// words or 385 bytes on average; all together use some 330 different words. ``StoryCensus`` says how many stories
/// there are.
///
///     let tales = SyntheticStories()
///     print(tales.story(seed: 7))
///     for story in tales.stories(seed: 1, bytes: 6_000_000) { … }
public struct SyntheticStories: Sendable {
  /// Creates a teller of tales. All tellers are alike.
  public init() {}

  /// Tells a story and says how it was made.
  public func tale(using generator: inout some RandomNumberGenerator) -> Story {
    let plot = Plot.all[generator.uniform(below: Plot.all.count)]
    var odds = Double(Plot.all.count)
    var text: [UInt8] = []
    var state = StoryState()
    while state.beat < plot.beats.count {
      let steps = plot.allowedSteps(in: state)
      precondition(!steps.isEmpty, "the plot \(plot.name) has no way on from beat \(state.beat)")
      let step = steps[generator.uniform(below: steps.count)]
      odds *= Double(steps.count)
      var casting = state.casting
      for role in step.line.template.roles where casting[role] == nil {
        let candidates = casting.candidates(for: role)
        casting[role] = candidates[generator.uniform(below: candidates.count)]
        odds *= Double(candidates.count)
      }
      if !text.isEmpty { text.append(UInt8(ascii: " ")) }
      step.line.template.render(casting, into: &text)
      state = state.after(step, casting: casting)
    }
    return Story(text: String(decoding: text, as: UTF8.self), plot: plot.name, odds: odds)
  }

  /// Tells a story.
  public func story(using generator: inout some RandomNumberGenerator) -> String {
    tale(using: &generator).text
  }

  /// Tells the story that belongs to a seed.
  public func story(seed: UInt64) -> String {
    var generator = SeededGenerator(seed: seed)
    return story(using: &generator)
  }

  /// Stories, one after the other, the same for the same seed and with a longer stream beginning as a shorter one.
  ///
  /// - Parameters:
  ///   - seed: Which stories. Two seeds have hardly a story in common, so one can serve to train and another to test.
  ///   - bytes: How much text: the last story is the one with which the stories, with a line break after each, reach
  ///     this size.
  public func stories(seed: UInt64, bytes: Int) -> some Sequence<String> & Sendable {
    StoryStream(remaining: bytes, generator: SeededGenerator(seed: seed))
  }
}

/// A story and how it came about.
public struct Story: Hashable, Sendable {
  /// The story, a single line.
  public let text: String
  /// What kind of story it is.
  public let plot: String
  /// One in how many: the inverse of the probability of the choices that made the story.
  let odds: Double
  /// The information in the story, in bits: the sum of −log2 of the probability of each choice that made it.
  public var bits: Double { log2(odds) }
}

/// A stream of tales that ends when enough bytes have been told.
struct StoryStream: Sequence, IteratorProtocol, Sendable {
  private let tales = SyntheticStories()
  private var remaining: Int
  private var generator: SeededGenerator

  init(remaining: Int, generator: SeededGenerator) {
    self.remaining = remaining
    self.generator = generator
  }

  mutating func next() -> String? {
    guard remaining > 0 else { return nil }
    let story = tales.story(using: &generator)
    remaining -= story.utf8.count + 1
    return story
  }
}
