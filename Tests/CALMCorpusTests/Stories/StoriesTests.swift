import CALMCorpus
import CALMSupport
import Foundation
import Testing

@Suite("Synthetic stories")
struct SyntheticStoriesTests {
  private let source = SyntheticStories()

  @Test("The same seed gives the same stories, and a longer stream starts with the shorter one")
  func determinism() {
    let long = Array(source.stories(seed: 3, bytes: 60_000))
    let again = Array(source.stories(seed: 3, bytes: 60_000))
    let short = Array(source.stories(seed: 3, bytes: 20_000))
    #expect(long == again)
    #expect(long.starts(with: short))
    #expect(source.story(seed: 3) == long.first)
  }

  @Test("A stream of stories ends with the story that reaches the requested size", arguments: [1, 1000, 100_000])
  func streamSize(bytes: Int) {
    let sizes = source.stories(seed: 4, bytes: bytes).map { $0.utf8.count + 1 }
    let total = sizes.reduce(0, +)
    #expect(total >= bytes)
    #expect(total - (sizes.last ?? 0) < bytes)
  }

  @Test("A stream of stories with no bytes is empty", arguments: [0, -1])
  func emptyStream(bytes: Int) {
    #expect(Array(source.stories(seed: 4, bytes: bytes)).isEmpty)
  }

  @Test("A story is one paragraph of ASCII text with nine sentences and 60 to 100 words")
  func shape() {
    let grammar = StoryGrammar()
    let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ,.!?\"")
    for story in source.stories(seed: 5, bytes: 500_000) {
      #expect(story.allSatisfy(plain.contains), "\(story)")
      #expect((60...100).contains(story.split(separator: " ").count), "\(story)")
      #expect(grammar.sentences(in: story).complete.count == 9, "\(story)")
    }
  }

  @Test("Sentences of stories are 5 to 15 words long")
  func sentenceLength() {
    let grammar = StoryGrammar()
    let sentences = Set(source.stories(seed: 6, bytes: 500_000).flatMap { grammar.sentences(in: $0).complete })
    for sentence in sentences {
      #expect((5...15).contains(sentence.split(separator: " ").count), "\(sentence)")
    }
  }

  @Test("The default corpus of stories has a small vocabulary and uses every word often")
  func vocabulary() {
    var counts: [Substring: Int] = [:]
    for story in source.stories(seed: 7, bytes: 6_000_000) {
      for word in story.split(whereSeparator: { !$0.isLetter }) { counts[word, default: 0] += 1 }
    }
    #expect((300...500).contains(counts.count))
    #expect(counts.values.allSatisfy { $0 >= 50 })
  }

  @Test("Every plot occurs equally often in stories")
  func plots() {
    var generator = SeededGenerator(seed: 8)
    var counts: [String: Int] = [:]
    for _ in 0..<8000 { counts[source.generate(using: &generator).plot, default: 0] += 1 }
    #expect(counts.count == 8)
    // Six standard deviations: a false alarm in 10^8.
    #expect(counts.values.allSatisfy { abs($0 - 1000) < 180 })
  }

  @Test("Two seeds have no stories in common")
  func seedsAreDisjoint() {
    // The entropy is about 30 bits, but some stories are far more likely than others; the pair of seeds is fixed.
    let train = Set(source.stories(seed: 1, bytes: 6_000_000))
    let test = source.stories(seed: 2, bytes: 100_000)
    #expect(test.allSatisfy { !train.contains($0) })
  }

  @Test("Stories introduce things with the indefinite article before they use the definite article")
  func introductions() {
    let things: Set<Substring> = [
      "ball", "doll", "drum", "boat", "car", "train", "truck", "robot", "puppet", "bell", "whistle", "teddy", "kite",
      "balloon", "plane", "hat", "scarf", "apple", "pear", "peach", "bun", "pie", "cake", "cookie", "muffin", "ribbon",
      "medal", "flag", "star", "lamp", "candle", "lantern", "torch", "fox", "goat", "rabbit", "duck", "dog", "hedgehog",
      "sheep", "owl", "cat", "puppy", "mouse", "frog", "bird", "hamster", "giraffe", "elephant", "monkey", "squirrel",
      "parrot", "bear",
    ]
    for story in source.stories(seed: 9, bytes: 500_000) {
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

  @Test("A pronoun between two girls or two boys refers to the only one named just before")
  func pronounsAreClear() {
    let girls: Set<Substring> = [
      "Mia", "Anna", "Lily", "Emma", "Lucy", "Nora", "Ella", "Sue", "Kate", "Jane", "Amy", "Zoe",
    ]
    let boys: Set<Substring> = [
      "Tom", "Ben", "Sam", "Max", "Tim", "Leo", "Jack", "Dan", "Finn", "Noah", "Paul", "Adam",
    ]
    let pronouns: Set<Substring> = ["he", "him", "his", "she", "her"]
    let grammar = StoryGrammar()
    for story in source.stories(seed: 10, bytes: 500_000) {
      var known: Set<Substring> = []
      var lastNamed: Set<Substring> = []
      for sentence in grammar.sentences(in: story).complete {
        let words = narration(sentence).split(whereSeparator: { !$0.isLetter })
        let names = girls.union(boys).intersection(words)
        let isSameGender = known.count == 2 && (known.isSubset(of: girls) || known.isSubset(of: boys))
        if isSameGender, let pronoun = words.firstIndex(where: { pronouns.contains(Substring($0.lowercased())) }) {
          let isNamedBefore = !names.isDisjoint(with: words[..<pronoun])
          #expect(isNamedBefore || lastNamed.count == 1, "\(sentence) in: \(story)")
        }
        known.formUnion(names)
        // A sentence with only "She" still refers to the person named before.
        if !names.isEmpty || !words.contains(where: { $0 == "He" || $0 == "She" }) { lastNamed = names }
      }
    }
  }

  /// A sentence without direct speech.
  private func narration(_ sentence: String) -> String {
    sentence.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
      .filter { $0.offset.isMultiple(of: 2) }.map { String($0.element) }.joined(separator: " ")
  }
}
