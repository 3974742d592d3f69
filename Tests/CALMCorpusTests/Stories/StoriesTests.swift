import CALMCorpus
import CALMSupport
import Foundation
import Testing

@Suite("SyntheticStories")
struct TalesTests {
  private let tales = SyntheticStories()

  @Test("the same seed tells the same stories, and a longer stream begins as a shorter one")
  func determinism() {
    let long = Array(tales.stories(seed: 3, bytes: 60_000))
    let again = Array(tales.stories(seed: 3, bytes: 60_000))
    let short = Array(tales.stories(seed: 3, bytes: 20_000))
    #expect(long == again)
    #expect(long.starts(with: short))
    #expect(tales.story(seed: 3) == long.first)
  }

  @Test("a stream ends with the story that reaches the size asked for", arguments: [1, 1000, 100_000])
  func streamSize(bytes: Int) {
    let sizes = tales.stories(seed: 4, bytes: bytes).map { $0.utf8.count + 1 }
    let total = sizes.reduce(0, +)
    #expect(total >= bytes)
    #expect(total - (sizes.last ?? 0) < bytes)
  }

  @Test("nothing is told where no bytes are asked for", arguments: [0, -1])
  func emptyStream(bytes: Int) {
    #expect(Array(tales.stories(seed: 4, bytes: bytes)).isEmpty)
  }

  @Test("a story is one paragraph of plain letters, nine sentences and 60 to 100 words long")
  func shape() {
    let grammar = StoryGrammar()
    let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ,.!?\"")
    for story in tales.stories(seed: 5, bytes: 500_000) {
      #expect(story.allSatisfy(plain.contains), "\(story)")
      #expect((60...100).contains(story.split(separator: " ").count), "\(story)")
      #expect(grammar.sentences(in: story).complete.count == 9, "\(story)")
    }
  }

  @Test("sentences are 5 to 15 words long")
  func sentenceLength() {
    let grammar = StoryGrammar()
    let sentences = Set(tales.stories(seed: 6, bytes: 500_000).flatMap { grammar.sentences(in: $0).complete })
    for sentence in sentences {
      #expect((5...15).contains(sentence.split(separator: " ").count), "\(sentence)")
    }
  }

  @Test("the default corpus uses a small vocabulary, every word of it often")
  func vocabulary() {
    var counts: [Substring: Int] = [:]
    for story in tales.stories(seed: 7, bytes: 6_000_000) {
      for word in story.split(whereSeparator: { !$0.isLetter }) { counts[word, default: 0] += 1 }
    }
    #expect((300...500).contains(counts.count))
    #expect(counts.values.allSatisfy { $0 >= 50 })
  }

  @Test("every plot is told equally often")
  func plots() {
    var generator = SeededGenerator(seed: 8)
    var counts: [String: Int] = [:]
    for _ in 0..<8000 { counts[tales.tale(using: &generator).plot, default: 0] += 1 }
    #expect(counts.count == 8)
    // Six standard deviations: a false alarm in 10^8.
    #expect(counts.values.allSatisfy { abs($0 - 1000) < 180 })
  }

  @Test("two seeds have no story in common")
  func seedsAreDisjoint() {
    // The entropy is about 30 bits, but some stories are far likelier than others; this is a fixed pair of seeds.
    let train = Set(tales.stories(seed: 1, bytes: 6_000_000))
    let test = tales.stories(seed: 2, bytes: 100_000)
    #expect(test.allSatisfy { !train.contains($0) })
  }

  @Test("things are introduced before they are called by the definite article")
  func introductions() {
    let things: Set<Substring> = [
      "ball", "doll", "drum", "boat", "car", "train", "truck", "robot", "puppet", "bell", "whistle", "teddy", "kite",
      "balloon", "plane", "hat", "scarf", "apple", "pear", "peach", "bun", "pie", "cake", "cookie", "muffin", "ribbon",
      "medal", "flag", "star", "lamp", "candle", "lantern", "torch", "fox", "goat", "rabbit", "duck", "dog", "hedgehog",
      "sheep", "owl", "cat", "puppy", "mouse", "frog", "bird", "hamster", "giraffe", "elephant", "monkey", "squirrel",
      "parrot", "bear",
    ]
    for story in tales.stories(seed: 9, bytes: 500_000) {
      let words = story.split(whereSeparator: { !$0.isLetter })
      for thing in things.intersection(words) {
        guard let first = words.firstIndex(of: thing) else { continue }
        // "a kite" or "a red kite"
        let article = words[(first - 2)..<first].last { ["a", "an", "A", "An"].contains($0) }
        let vowel = words[(first - 1)] == article ? thing : words[first - 1]
        #expect(article != nil, "\(thing): \(story)")
        #expect(article?.count == ("aeiou".contains(vowel.prefix(1)) ? 2 : 1), "\(thing): \(story)")
      }
    }
  }

  @Test("he and she are clear: between two girls or two boys only the one named alone just before is meant")
  func pronounsAreClear() {
    let girls: Set<Substring> = [
      "Mia", "Anna", "Lily", "Emma", "Lucy", "Nora", "Ella", "Sue", "Kate", "Jane", "Amy", "Zoe",
    ]
    let boys: Set<Substring> = [
      "Tom", "Ben", "Sam", "Max", "Tim", "Leo", "Jack", "Dan", "Finn", "Noah", "Paul", "Adam",
    ]
    let pronouns: Set<Substring> = ["he", "him", "his", "she", "her"]
    let grammar = StoryGrammar()
    for story in tales.stories(seed: 10, bytes: 500_000) {
      var known: Set<Substring> = []
      var lastNamed: Set<Substring> = []
      for sentence in grammar.sentences(in: story).complete {
        let words = narration(sentence).split(whereSeparator: { !$0.isLetter })
        let names = girls.union(boys).intersection(words)
        let alike = known.count == 2 && (known.isSubset(of: girls) || known.isSubset(of: boys))
        if alike, let pronoun = words.firstIndex(where: { pronouns.contains(Substring($0.lowercased())) }) {
          let isNamedBefore = !names.isDisjoint(with: words[..<pronoun])
          #expect(isNamedBefore || lastNamed.count == 1, "\(sentence) in: \(story)")
        }
        known.formUnion(names)
        // "She" alone keeps speaking of the one named before.
        if !names.isEmpty || !words.contains(where: { $0 == "He" || $0 == "She" }) { lastNamed = names }
      }
    }
  }

  /// A sentence without what is said in it.
  private func narration(_ sentence: String) -> String {
    sentence.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
      .filter { $0.offset.isMultiple(of: 2) }.map { String($0.element) }.joined(separator: " ")
  }
}
