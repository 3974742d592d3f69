extension Plot {
  /// A toy is lost, and a friend helps to find it.
  static let lostToy = Plot(
    "a lost toy",
    .opening,
    Beat(
      "the toy is introduced",
      [
        .say("{He hero} had {a color} {toy} and loved it very much.", then: [.has(.hero, .toy)]),
        .say("{His hero} favorite toy was {a color} {toy}.", then: [.has(.hero, .toy)]),
      ]),
    Beat(
      "the hero goes out",
      [
        .say("One day, {hero} took the {toy} to the {place}.", when: [.has(.hero, .toy)], then: [.at(.hero, .place)]),
        .say(
          "One morning, {he hero} played with the {toy} {at place}.",
          when: [.has(.hero, .toy)], then: [.at(.hero, .place)]),
      ]),
    Beat(
      "the toy is lost",
      [
        .say(
          "But when it was time to leave the {place}, the {toy} was gone.", when: [.has(.hero, .toy)],
          then: [.lost(.toy)]),
        .say(
          "But the {color} {toy} got lost, and {hero} began to cry.",
          when: [.has(.hero, .toy)], then: [.lost(.toy), .crying(.hero)]),
      ]),
    Beat(
      "a friend comes",
      [
        .say("{His hero} friend {friend} came to the {place} to help.", when: [.at(.hero, .place)]),
        .say("{He hero} ran to {his hero} friend {friend} and asked for help."),
      ]),
    Beat(
      "they look for the toy",
      [
        .say("\"Do not cry, we will find your {toy},\" said {friend}.", when: [.lost(.toy), .crying(.hero)]),
        .say("They looked {at elsewhere}, but the {toy} was not there.", when: [.lost(.toy)]),
      ]),
    Beat(
      "the toy is found",
      [
        .say("At last, {friend} found the {toy} {at spot}.", when: [.lost(.toy)], then: [.has(.friend, .toy)]),
        .say(
          "Then {hero} found the {color} {toy} {at spot}.",
          when: [.lost(.toy)], then: [.has(.hero, .toy)]),
      ]),
    Beat(
      "the hero gets it back",
      [
        .say("{friend} gave the {color} {toy} back to {hero}.", when: [.has(.friend, .toy)], then: [.has(.hero, .toy)]),
        .say(
          "\"Here is your {color} {toy},\" {friend} told {hero}.",
          when: [.has(.friend, .toy)], then: [.has(.hero, .toy)]),
        .say("{hero} picked up the {toy} and held it tight.", when: [.has(.hero, .toy)]),
        .say("{hero} was so happy that {he hero} hugged {friend}.", when: [.has(.hero, .toy)]),
      ]),
    Beat(
      "the end",
      [
        .say("\"Thank you, {friend}!\" said {hero}, and they went home.", when: [.has(.hero, .toy)]),
        .say("Then {hero} and {friend} played {at place} with the {color} {toy}.", when: [.has(.hero, .toy)]),
      ]))
}
