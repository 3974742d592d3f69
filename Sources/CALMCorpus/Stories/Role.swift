/// A part in a story, which one word plays from its first mention to the end.
package enum Role: Int, CaseIterable, Sendable {
  case hero, friend
  case trait
  case color, wrap
  case toy, flyer, food, treat, prize, light
  case place, shop, spot, elsewhere, shelter, goal, corner
  case animal, climber, pet

  /// The kind of word that can play the part.
  package var category: Category {
    switch self {
    case .hero: .hero
    case .friend: .friend
    case .trait: .trait
    case .color, .wrap: .color
    case .toy: .toy
    case .flyer: .flyer
    case .food: .food
    case .treat: .treat
    case .prize: .prize
    case .light: .light
    case .place: .place
    case .shop: .shop
    case .spot, .elsewhere: .spot
    case .shelter: .shelter
    case .goal: .goal
    case .corner: .corner
    case .animal: .animal
    case .climber: .climber
    case .pet: .pet
    }
  }

  /// The roles that draw on the same category, so that no two of them may be played by one word.
  static let rivals: [[Role]] = allCases.map { role in
    allCases.filter { $0 != role && $0.category == role.category }
  }
}

/// Which words play which roles, as far as the story has said.
package struct Casting: Hashable, Sendable {
  /// For each role the position of its word within the category, or -1.
  private var choices = SIMD32<Int8>(repeating: -1)

  /// A casting in which no role is taken.
  package init() {}

  /// The position, within the role's category, of the word that plays the role.
  package subscript(role: Role) -> Int? {
    get { choices[role.rawValue] < 0 ? nil : Int(choices[role.rawValue]) }
    set { choices[role.rawValue] = Int8(newValue ?? -1) }
  }

  /// The word that plays the role.
  package func word(_ role: Role) -> Word? {
    self[role].map { role.category.words[$0] }
  }

  /// The words that could still take a role: those of its category that play no other part.
  package func candidates(for role: Role) -> [Int] {
    let rivals = Role.rivals[role.rawValue]
    return role.category.words.indices.filter { word in !rivals.contains { self[$0] == word } }
  }
}
