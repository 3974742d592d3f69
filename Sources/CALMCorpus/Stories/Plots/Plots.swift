extension Plot {
  /// All plots.
  package static let all: [Plot] = [
    .lostToy, .tallTree, .birthdayGift, .sharedFood, .rainyDay, .race, .darkNight, .picnic,
  ]
}

extension Beat {
  /// The first sentence of every story, which introduces the hero.
  static let opening = Beat(
    "the hero is introduced",
    [
      .say("Once there was a {trait} {boy hero} named {hero}."),
      .say("{hero} was a {trait} {boy hero} who loved to play."),
    ])
}

extension Role {
  /// The two children of a story, for lines that apply to either.
  static let children: [Role] = [.hero, .friend]

  /// The two children in both orders.
  static let childrenInOrder: [(Role, Role)] = [(.hero, .friend), (.friend, .hero)]

  /// The two foods at a picnic.
  static let snacks: [Role] = [.food, .treat]
}
