/// A category of words that can fill a slot of a sentence.
package enum Category: Int, CaseIterable, Sendable {
  case hero, friend, trait, color, toy, flyer, food, treat, place, shop, spot, shelter, goal, prize, corner, light
  case animal, climber, pet

  /// The words of the category.
  package var words: [Word] { Lexicon.words[rawValue] }
}

/// The gender of a child, which determines the pronouns.
package enum Gender: Sendable {
  case girl, boy
}

/// A word that can fill a slot, with its forms.
package struct Word: Sendable {
  /// The bare word: "Mia", "kite", "park".
  package let name: String
  /// The gender of a person.
  package let gender: Gender?
  /// The location phrase of a place ("by the river", "under a bench").
  let location: String?
  /// The way in which an animal reaches the top of a tree.
  let action: String?

  init(_ name: String, gender: Gender? = nil, at location: String? = nil, action: String? = nil) {
    self.name = name
    self.gender = gender
    self.location = location
    self.action = action
  }

  /// The spelling of a form, or `nil` if the word does not have the form.
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

/// The words of the synthetic stories. The lexicon is small on purpose: every word occurs thousands of times in the
/// default corpus, and a byte-level tokenizer with a thousand tokens has every name as a single token.
package enum Lexicon {
  /// The words of each category, by its raw value.
  static let words: [[Word]] = Category.allCases.map(listed)

  private static func listed(_ category: Category) -> [Word] {
    switch category {
    // Heroes and friends have different names, so a name identifies the role.
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
