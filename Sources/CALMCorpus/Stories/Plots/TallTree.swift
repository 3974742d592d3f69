extension Plot {
  /// The wind blows a toy into a tree, and an animal fetches it.
  static let tallTree = Plot(
    "a tall tree",
    .opening,
    Beat(
      "the hero goes out",
      [
        .say(
          "One windy day, {hero} took {a color} {flyer} to the {place}.",
          then: [.has(.hero, .flyer), .at(.hero, .place)]),
        .say(
          "{He hero} had {a color} {flyer} and took it to the {place}.",
          then: [.has(.hero, .flyer), .at(.hero, .place)]),
      ]),
    Beat(
      "it gets stuck",
      [
        .say("A strong wind blew the {flyer} into a tall tree.", when: [.has(.hero, .flyer)], then: [.stuck(.flyer)]),
        .say(
          "But the wind took the {color} {flyer} up into a tree.", when: [.has(.hero, .flyer)], then: [.stuck(.flyer)]),
      ]),
    Beat(
      "the hero tries",
      [
        .say("{hero} jumped and jumped but could not reach it.", when: [.stuck(.flyer)]),
        .say("{hero} sat down under the tree and began to cry.", then: [.crying(.hero)]),
      ]),
    Beat(
      "an animal comes",
      [
        .say("Just then, {a climber} came to the {place}.", when: [.at(.hero, .place)]),
        .say("Then {he hero} saw {a climber} and asked for help."),
      ]),
    Beat(
      "they talk",
      [
        .say("\"I can get your {flyer},\" said the {climber}.", when: [.stuck(.flyer)]),
        .say("\"Do not cry, {hero},\" said the {climber}.", when: [.crying(.hero)]),
      ]),
    Beat(
      "the animal gets it",
      [
        .say(
          "The {climber} {climbed climber} and got the {flyer}.",
          when: [.stuck(.flyer)], then: [.has(.climber, .flyer)]),
        .say(
          "So the {climber} {climbed climber} and took the {color} {flyer} down.",
          when: [.stuck(.flyer)], then: [.has(.climber, .flyer)]),
      ]),
    Beat(
      "the hero gets it back",
      [
        .say("Then it gave the {flyer} back to {hero}.", when: [.has(.climber, .flyer)], then: [.has(.hero, .flyer)]),
        .say(
          "\"Here is your {color} {flyer},\" said the {climber}.",
          when: [.has(.climber, .flyer)], then: [.has(.hero, .flyer)]),
      ]),
    Beat(
      "the end",
      [
        .say("\"Thank you!\" said {hero}, and {he hero} hugged the {climber}.", when: [.has(.hero, .flyer)]),
        .say("{hero} thanked the {climber} and took the {color} {flyer} home.", when: [.has(.hero, .flyer)]),
      ]))
}
