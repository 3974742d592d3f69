extension Plot {
  /// Two friends are caught in the rain and meet an animal where they shelter.
  static let rainyDay = Plot(
    "a rainy day",
    .opening,
    Beat(
      "they go out",
      [
        .say(
          "One day, {hero} and {his hero} friend {friend} went to the {place}.", then: [.at(.hero, .place)]),
        .say("{hero} walked to the {place} with {his hero} friend {friend}.", then: [.at(.hero, .place)]),
      ]),
    Beat(
      "they play",
      [
        .say(
          "{hero} had {a color} {toy}, and they played with it.",
          when: [.at(.hero, .place)], then: [.has(.hero, .toy)]),
        .say(
          "{friend} had {a color} {toy}, and they played with it.",
          when: [.at(.hero, .place)], then: [.has(.friend, .toy)]),
      ]),
    Beat(
      "it begins to rain",
      [
        .say("Soon dark clouds came over the {place}, and it began to rain.", then: [.raining]),
        .say("Then big drops of rain fell from the sky.", then: [.raining]),
      ]),
    Beat(
      "they take shelter",
      [
        .say(
          "{friend} saw an old {shelter}, and they ran inside.", when: [.raining], then: [.at(.hero, .shelter)]),
        .say(
          "\"Run to the {shelter}!\" said {hero}, and they ran fast.",
          when: [.raining], then: [.at(.hero, .shelter)]),
      ]),
    Beat(
      "an animal is there",
      [
        .say("In the {shelter} they met {a animal}.", when: [.at(.hero, .shelter)]),
        .say("There they saw {a animal} that was wet and cold.", when: [.at(.hero, .shelter)]),
      ]),
    Beat(
      "they wait",
      [
        .say("\"You can stay here with me,\" said the {animal}.", when: [.raining])
      ],
      Role.children.map { child in
        .say(
          "{\(child)} let the {animal} play with the {color} {toy}.",
          when: [.raining, .has(child, .toy)])
      }),
    Beat(
      "the rain is over",
      [
        .say("At last the rain stopped, and the sun came out.", when: [.raining]),
        .say("Soon the rain stopped, and they left the {shelter}.", when: [.raining, .at(.hero, .shelter)]),
      ]),
    Beat(
      "the end",
      [
        .say("They said goodbye to the {animal} and went home.")
      ],
      Role.children.map { child in
        .say("{\(child)} took the {color} {toy}, and they all went home.", when: [.has(child, .toy)])
      }))
}
