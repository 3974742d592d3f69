/// A role in a story. One word fills the role from its first mention to the end.
package enum Role: Int, CaseIterable, Sendable {
  case hero, friend
  case trait
  case color, wrap
  case toy, flyer, food, treat, prize, light
  case place, shop, spot, elsewhere, shelter, goal, corner
  case animal, climber, pet

  /// The category of words that can fill the role.
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

  /// The other roles of the same category, which must not use the same word.
  static let rivals: [[Role]] = allCases.map { role in
    allCases.filter { $0 != role && $0.category == role.category }
  }
}

/// An assignment of words to the roles mentioned so far.
package struct Casting: Hashable, Sendable {
  /// The index of each role's word in its category, or -1.
  private var choices = SIMD32<Int8>(repeating: -1)

  /// An empty assignment.
  package init() {}

  /// The index of the role's word in the role's category.
  package subscript(role: Role) -> Int? {
    get { choices[role.rawValue] < 0 ? nil : Int(choices[role.rawValue]) }
    set { choices[role.rawValue] = Int8(newValue ?? -1) }
  }

  /// The word of a role.
  package func word(_ role: Role) -> Word? {
    self[role].map { role.category.words[$0] }
  }

  /// The words that can still fill a role: those of its category that have no other role.
  package func candidates(for role: Role) -> [Int] {
    let rivals = Role.rivals[role.rawValue]
    return role.category.words.indices.filter { word in !rivals.contains { self[$0] == word } }
  }
}
