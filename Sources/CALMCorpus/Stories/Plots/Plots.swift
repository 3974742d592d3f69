extension Plot {
  /// Every kind of story there is.
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
  /// The two children of a story, for lines that can be told of either.
  static let children: [Role] = [.hero, .friend]

  /// The two children both ways round.
  static let childrenInOrder: [(Role, Role)] = [(.hero, .friend), (.friend, .hero)]

  /// The two things to eat at a picnic.
  static let snacks: [Role] = [.food, .treat]
}
