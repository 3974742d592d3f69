/// The grammatical form of a word in a sentence, named after an example.
package enum Form: Int, CaseIterable, Sendable {
  /// The bare word.
  case name
  /// With the indefinite article: "a kite", "an apple".
  case a
  /// A location: "by the river", "under a bench".
  case at
  /// The way in which an animal reached the top of a tree: "climbed up the tree".
  case climbed
  /// "he" or "she".
  case he
  /// "him" or "her".
  case him
  /// "his" or "her".
  case his
  /// "boy" or "girl".
  case boy
  /// "brother" or "sister".
  case brother

  init?(named name: String) {
    guard let form = Form.allCases.first(where: { "\($0)" == name }) else { return nil }
    self = form
  }

  /// Whether the form depends only on the person's gender.
  var isPronoun: Bool { self == .he || self == .him || self == .his }
}

/// All spellings of all words.
enum Spelling {
  /// The plain and capitalized bytes by category, word and form.
  static let table: [[[[[UInt8]]]]] = Category.allCases.map { category in
    category.words.map { word in
      Form.allCases.map { form in
        let plain = word.spelling(form) ?? ""
        return [Array(plain.utf8), Array((plain.prefix(1).uppercased() + plain.dropFirst()).utf8)]
      }
    }
  }
}
