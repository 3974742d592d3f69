extension Plot {
  /// A noise in the dark turns out to be a small animal.
  static let darkNight = Plot(
    "a dark night",
    .opening,
    Beat(
      "the hero is afraid",
      [
        .say("But {he hero} was afraid of the dark."),
        .say("At night, {hero} did not like the dark."),
      ]),
    Beat(
      "there is a noise",
      [
        .say("One night, {hero} heard a noise {at corner}."),
        .say("One night, there was a strange sound {at corner}."),
      ]),
    Beat(
      "somebody comes",
      [
        .say("{He hero} called {his hero} {brother friend} {friend}."),
        .say("{His hero} {brother friend} {friend} heard it too."),
      ]),
    Beat(
      "they talk",
      [
        .say("\"Do not be afraid, {hero},\" said {friend}."),
        .say("\"There is something {at corner},\" said {hero}."),
      ]),
    Beat(
      "there is light",
      [
        .say("{friend} took {a light} and went to look.", then: [.has(.friend, .light)]),
        .say("{friend} gave {hero} {a light} to hold.", then: [.has(.hero, .light)]),
      ]),
    Beat(
      "they look",
      Role.children.map { child in
        .say("{\(child)} held up the {light} and looked {at corner}.", when: [.has(child, .light)])
      },
      [
        .say("They looked {at corner} with the {light}.")
      ]),
    Beat(
      "the noise is explained",
      [
        .say("It was only {a pet}, and it was scared too."),
        .say("\"It is just {a pet}!\" said {friend}, and they laughed."),
      ]),
    Beat(
      "the end",
      [
        .say("{hero} took the {pet} to bed, and they slept well."),
        .say("After that, {hero} was not afraid of the dark."),
      ]))
}
