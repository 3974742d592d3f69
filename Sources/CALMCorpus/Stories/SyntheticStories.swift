import CALMSupport
import Foundation

/// A generator of short children's stories: built-in text to train and evaluate small language models.
///
/// A story follows one of eight plots and keeps track of its characters, their possessions and their positions. Later
/// sentences refer to the names, things and places introduced earlier, so a language model has to remember them;
/// ``StoryGrammar`` judges whether it does. A story is a single paragraph of nine short sentences in plain ASCII, with
/// a mean length of 81 words or 385 bytes. All stories together use about 330 different words. ``StoryCensus`` gives
/// the number of stories.
///
///     let source = SyntheticStories()
///     print(source.story(seed: 7))
///     for story in source.stories(seed: 1, bytes: 6_000_000) { … }
public struct SyntheticStories: Sendable {
  /// Creates a generator. All generators are equal.
  public init() {}

  /// Generates a story with its plot and probability.
  public func generate(using generator: inout some RandomNumberGenerator) -> Story {
    let plot = Plot.all[generator.uniform(below: Plot.all.count)]
    var odds = Double(Plot.all.count)
    var text: [UInt8] = []
    var state = StoryState()
    while state.beat < plot.beats.count {
      let steps = plot.allowedSteps(in: state)
      precondition(!steps.isEmpty, "the plot \(plot.name) cannot continue from beat \(state.beat)")
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

  /// Generates the text of a story.
  public func story(using generator: inout some RandomNumberGenerator) -> String {
    generate(using: &generator).text
  }

  /// Returns the story for a seed.
  public func story(seed: UInt64) -> String {
    var generator = SeededGenerator(seed: seed)
    return story(using: &generator)
  }

  /// Returns a reproducible sequence of stories. A longer sequence of the same seed starts with the shorter one.
  ///
  /// - Parameters:
  ///   - seed: Selects the stories. Two seeds have almost no stories in common, so one can be used for training and
  ///     another for testing.
  ///   - bytes: The amount of text. The sequence ends with the first story at which the total size, including a line
  ///     break after each story, reaches this number.
  public func stories(seed: UInt64, bytes: Int) -> some Sequence<String> & Sendable {
    StoryStream(remaining: bytes, generator: SeededGenerator(seed: seed))
  }
}

/// A generated story.
public struct Story: Hashable, Sendable {
  /// The text, which is a single line.
  public let text: String
  /// The name of the plot.
  public let plot: String
  /// The inverse of the probability of the choices that produced the story.
  let odds: Double
  /// The information content in bits: the sum of −log2 of the probability of each choice that produced the story.
  public var bits: Double { log2(odds) }
}

/// A sequence of stories that ends when it has enough bytes.
struct StoryStream: Sequence, IteratorProtocol, Sendable {
  private let source = SyntheticStories()
  private var remaining: Int
  private var generator: SeededGenerator

  init(remaining: Int, generator: SeededGenerator) {
    self.remaining = remaining
    self.generator = generator
  }

  mutating func next() -> String? {
    guard remaining > 0 else { return nil }
    let story = source.story(using: &generator)
    remaining -= story.utf8.count + 1
    return story
  }
}
