/// The kinds of word that can fill a slot of a sentence.
package enum Category: Int, CaseIterable, Sendable {
  case hero, friend, trait, color, toy, flyer, food, treat, place, shop, spot, shelter, goal, prize, corner, light
  case animal, climber, pet

  /// The words of this kind.
  package var words: [Word] { Lexicon.words[rawValue] }
}

/// Whether a child of the tales is a girl or a boy, which decides every pronoun.
package enum Gender: Sendable {
  case girl, boy
}

/// A word that can fill a slot, with all that is known of how it behaves in a sentence.
package struct Word: Sendable {
  /// The bare word: "Mia", "kite", "park".
  package let name: String
  /// For a person: girl or boy.
  package let gender: Gender?
  /// For a place: the phrase that says where ("by the river", "under a bench").
  let location: String?
  /// For an animal that fetches things out of trees: how it gets there.
  let action: String?

  init(_ name: String, gender: Gender? = nil, at location: String? = nil, action: String? = nil) {
    self.name = name
    self.gender = gender
    self.location = location
    self.action = action
  }

  /// How the word is spelled in a form, or `nil` where it has no such form.
  func spelling(_ form: Form) -> String? {
    switch form {
    case .name: name
    case .a: ("aeiou".contains(name.prefix(1).lowercased()) ? "an " : "a ") + name
    case .at: location
    case .climbed: action
    case .he: gender.map { $0 == .girl ? "she" : "he" }
    case .him: gender.map { $0 == .girl ? "her" : "him" }
    case .his: gender.map { $0 == .girl ? "her" : "his" }
    case .boy: gender.map { $0 == .girl ? "girl" : "boy" }
    case .brother: gender.map { $0 == .girl ? "sister" : "brother" }
    }
  }
}

/// All words that the tales choose from. Small on purpose: every word is met thousands of times in the default
/// corpus, and names are words that a byte-level tokenizer of a thousand entries keeps whole.
package enum Lexicon {
  /// The words of each category, by its raw value.
  static let words: [[Word]] = Category.allCases.map(listed)

  private static func listed(_ category: Category) -> [Word] {
    switch category {
    // Heroes and friends have names of their own, so a name tells the part.
    case .hero: plain("Mia Lily", gender: .girl) + plain("Ben Max", gender: .boy)
    case .friend: plain("Anna Sue", gender: .girl) + plain("Tom Sam", gender: .boy)
    case .trait: plain("kind brave happy funny")
    case .color: plain("red blue green yellow")
    case .toy: plain("ball doll drum boat car train")
    case .flyer: plain("kite balloon plane hat")
    case .food: plain("pear peach bun")
    case .treat: plain("pie cake cookie")
    case .prize: plain("ribbon medal star")
    case .light: plain("lamp candle torch")
    case .animal: plain("fox goat duck dog")
    case .pet: plain("cat puppy mouse frog")
    case .shelter: plain("barn cabin hut")
    case .goal: plain("gate fence bridge wall")
    case .place: located("in the", "park garden forest") + located("by the", "river lake") + located("on the", "farm")
    case .shop: located("in the", "store shop") + located("at the", "market")
    case .spot: located("under a", "bench bush") + located("behind a", "tree rock")
    case .corner: located("under the", "bed table") + located("behind the", "door curtain")
    case .climber:
      [
        Word("giraffe", action: "stretched its long neck"), Word("monkey", action: "climbed up the tree"),
        Word("parrot", action: "flew up to the branch"), Word("bear", action: "stood up on two legs"),
      ]
    }
  }

  private static func plain(_ names: String, gender: Gender? = nil) -> [Word] {
    names.split(separator: " ").map { Word(String($0), gender: gender) }
  }

  private static func located(_ preposition: String, _ names: String) -> [Word] {
    names.split(separator: " ").map { Word(String($0), at: "\(preposition) \($0)") }
  }
}
