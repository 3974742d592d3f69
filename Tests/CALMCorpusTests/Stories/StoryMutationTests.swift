import CALMCorpus
import CALMSupport
import Testing

/// Measures how reliably the grammar detects a single mutation of a story.
@Suite("Story mutations")
struct StoryMutationTests {
  private let grammar = StoryGrammar()

  /// Kinds of mutations.
  enum Mutation: String, CaseIterable {
    case anotherName, otherGender, anotherThing, anotherColor, anotherPlace
    case droppedSentence, repeatedSentence, swappedNeighbors, movedSentence

    /// The minimum fraction of mutations to detect. Not every mutation is an error: a name that occurs once may be
    /// replaced, and some sentences are optional.
    var minimumFraction: Double {
      switch self {
      case .otherGender, .repeatedSentence, .swappedNeighbors, .movedSentence: 0.99
      case .anotherName: 0.97
      case .anotherThing: 0.93
      case .droppedSentence: 0.87
      case .anotherColor: 0.75
      case .anotherPlace: 0.6
      }
    }
  }

  @Test("The grammar detects nearly every story with a single mutation", arguments: Mutation.allCases)
  func detection(mutation: Mutation) {
    var generator = SeededGenerator(seed: 51)
    let source = SyntheticStories()
    var mutated = 0
    var detected = 0
    while mutated < 500 {
      let story = source.story(using: &generator)
      guard let changed = mutate(story, mutation, &generator), changed != story else { continue }
      mutated += 1
      detected += grammar.judge(changed).isConsistent ? 0 : 1
    }
    #expect(Double(detected) / Double(mutated) >= mutation.minimumFraction, "\(detected) of \(mutated)")
  }

  private static let girls = "Mia Anna Lily Emma Lucy Nora Ella Sue Kate Jane Amy Zoe".split(separator: " ")
  private static let boys = "Tom Ben Sam Max Tim Leo Jack Dan Finn Noah Paul Adam".split(separator: " ")
  private static let pronouns = "she he She He her his Her His her him".split(separator: " ")
  private static let things = [
    "ball doll drum boat car train truck robot puppet bell whistle teddy", "kite balloon plane hat scarf",
    "pear peach bun pie cake cookie muffin", "fox goat rabbit duck dog hedgehog sheep",
    "cat puppy mouse frog bird hamster", "lamp candle lantern torch", "ribbon medal flag star",
  ].map { $0.split(separator: " ") }
  private static let colors = "red blue green yellow white pink brown".split(separator: " ")
  private static let places = ["park garden forest meadow field", "river lake pond", "hill beach farm"].map {
    $0.split(separator: " ")
  }

  private func mutate(_ story: String, _ mutation: Mutation, _ generator: inout SeededGenerator) -> String? {
    switch mutation {
    case .anotherName: return exchange(in: story, [Self.girls, Self.boys], &generator)
    case .otherGender:
      return exchange(
        in: story, Array(stride(from: 0, to: 10, by: 2)).map { Array(Self.pronouns[$0...($0 + 1)]) }, &generator)
    case .anotherThing: return exchange(in: story, Self.things, &generator)
    case .anotherColor: return exchange(in: story, [Self.colors], &generator)
    case .anotherPlace: return exchange(in: story, Self.places, &generator)
    case .droppedSentence, .repeatedSentence, .swappedNeighbors, .movedSentence:
      var sentences = grammar.sentences(in: story).complete
      let position = generator.uniform(below: sentences.count - 1)
      switch mutation {
      case .droppedSentence: sentences.remove(at: position)
      case .repeatedSentence: sentences.insert(sentences[position], at: position)
      case .swappedNeighbors: sentences.swapAt(position, position + 1)
      default:
        let sentence = sentences.remove(at: position)
        sentences.insert(sentence, at: generator.uniform(below: sentences.count + 1))
      }
      return sentences.joined(separator: " ")
    }
  }

  /// Replaces a random word of the story by another of the same group.
  private func exchange(
    in story: String, _ groups: [[Substring]], _ generator: inout SeededGenerator
  ) -> String? {
    var words = story.split(separator: " ")
    let places = words.indices.filter { position in groups.contains { $0.contains(bare(words[position])) } }
    guard !places.isEmpty else { return nil }
    let place = places[generator.uniform(below: places.count)]
    let old = bare(words[place])
    guard let group = groups.first(where: { $0.contains(old) }) else { return nil }
    let others = group.filter { $0 != old }
    words[place] = Substring(words[place].replacing(old, with: others[generator.uniform(below: others.count)]))
    return words.joined(separator: " ")
  }

  private func bare(_ word: Substring) -> Substring {
    word.drop { !$0.isLetter }.prefix { $0.isLetter }
  }
}
