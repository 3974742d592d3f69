extension Plot {
  /// An animal eats part of a picnic, and the rest is shared.
  static let picnic = Plot(
    "a picnic",
    .opening,
    Beat(
      "they go out",
      [
        .say("One sunny day, {hero} and {his hero} friend {friend} went to the {place}."),
        .say("{He hero} had a picnic {at place} with {his hero} friend {friend}."),
      ]),
    Beat(
      "the food is introduced",
      [
        .say("They had {a food} and {a treat} in {a color} basket."),
        .say("{hero} put {a food} and {a treat} in {a color} basket."),
      ]),
    Beat(
      "they go away",
      [
        .say("They left the {color} basket {at spot} and ran off to play."),
        .say("They put the basket {at spot} and picked flowers {at place}."),
      ]),
    Beat(
      "some of it is gone",
      Role.snacks.flatMap { snack -> [Line] in
        [
          .say("When they came back, the {\(snack)} was gone.", then: [.gone(snack)])
        ]
      }),
    Beat(
      "they wonder",
      Role.snacks.flatMap { snack -> [Line] in
        [
          .say("\"Who ate our {\(snack)}?\" asked {hero}.", when: [.gone(snack)]),
          .say("\"Where is the {\(snack)}, {hero}?\" asked {friend}.", when: [.gone(snack)]),
        ]
      }),
    Beat(
      "an animal did it",
      [
        .say("Then they saw {a animal} with crumbs on its nose."),
        .say("Near the {spot} sat {a animal}."),
      ]),
    Beat(
      "it is sorry",
      [
        .say("\"I am sorry, I was so hungry,\" said the {animal}.")
      ],
      Role.snacks.map { snack in
        .say("\"I ate the {\(snack)}, and I am sorry,\" said the {animal}.", when: [.gone(snack)])
      }),
    Beat(
      "the end",
      Role.snacks.flatMap { snack -> [Line] in
        [
          .say("So {hero} and {friend} shared the {\(snack)} with the {animal}.", unless: [.gone(snack)]),
          .say("{friend} gave the {animal} some of the {\(snack)} too.", unless: [.gone(snack)]),
        ]
      }))
}
