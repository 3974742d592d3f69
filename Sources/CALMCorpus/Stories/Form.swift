/// The form in which a word stands in a sentence, named after an example of it.
package enum Form: Int, CaseIterable, Sendable {
  /// The bare word.
  case name
  /// With the indefinite article: "a kite", "an apple".
  case a
  /// Where it is: "by the river", "under a bench".
  case at
  /// What a helpful animal did to reach the top of a tree.
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

  /// Whether the form tells only the gender of the person it stands for.
  var isPronoun: Bool { self == .he || self == .him || self == .his }
}

/// All spellings of all words, made once.
enum Spelling {
  /// By category, word and form: the plain and the capitalized bytes.
  static let table: [[[[[UInt8]]]]] = Category.allCases.map { category in
    category.words.map { word in
      Form.allCases.map { form in
        let plain = word.spelling(form) ?? ""
        return [Array(plain.utf8), Array((plain.prefix(1).uppercased() + plain.dropFirst()).utf8)]
      }
    }
  }
}
