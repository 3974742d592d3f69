import CALMCorpus
import CALMSupport
import Testing

/// How surely the grammar notices that a story has been spoilt in one place.
@Suite("Spoilt tales")
struct TaleMutationTests {
  private let grammar = StoryGrammar()

  /// Ways to spoil a story, and the least share of stories spoilt so that must be found inconsistent.
  enum Damage: String, CaseIterable {
    case anotherName, otherGender, anotherThing, anotherColor, anotherPlace
    case droppedSentence, repeatedSentence, swappedNeighbors, movedSentence

    /// The share that must be noticed. Not everything is a fault: a name said once may as well be another, and many
    /// stories can do without one of their sentences.
    var leastShare: Double {
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

  @Test("nearly every story spoilt in one place is noticed", arguments: Damage.allCases)
  func damage(damage: Damage) {
    var generator = SeededGenerator(seed: 51)
    let tales = SyntheticStories()
    var spoilt = 0
    var noticed = 0
    while spoilt < 500 {
      let story = tales.story(using: &generator)
      guard let changed = spoil(story, damage, &generator), changed != story else { continue }
      spoilt += 1
      noticed += grammar.judge(changed).isConsistent ? 0 : 1
    }
    #expect(Double(noticed) / Double(spoilt) >= damage.leastShare, "\(noticed) of \(spoilt)")
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

  private func spoil(_ story: String, _ damage: Damage, _ generator: inout SeededGenerator) -> String? {
    switch damage {
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
      switch damage {
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

  /// Replaces one word of the story, chosen by chance, by another of the same group.
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
