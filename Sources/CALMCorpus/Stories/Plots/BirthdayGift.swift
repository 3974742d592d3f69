extension Plot {
  /// A toy is bought, wrapped and given away.
  static let birthdayGift = Plot(
    "a birthday gift",
    .opening,
    Beat(
      "a friend has a birthday",
      [
        .say("{His hero} best friend {friend} had a birthday."),
        .say("Today was the birthday of {his hero} friend {friend}."),
      ]),
    Beat(
      "the hero goes shopping",
      [
        .say("So {hero} went to the {shop} to look at the toys.", then: [.at(.hero, .shop)]),
        .say("{hero} walked to the {shop} to buy something nice.", then: [.at(.hero, .shop)]),
      ]),
    Beat(
      "a toy is bought",
      [
        .say("{He hero} saw {a color} {toy} and bought it.", when: [.at(.hero, .shop)], then: [.has(.hero, .toy)]),
        .say(
          "{hero} bought {a color} {toy} for {friend}.", when: [.at(.hero, .shop)], then: [.has(.hero, .toy)]),
      ]),
    Beat(
      "the gift is packed",
      [
        .say("Then {hero} put the {toy} in a big box.", when: [.has(.hero, .toy)], then: [.boxed(.toy)]),
        .say("{hero} wrapped the {toy} in {wrap} paper.", when: [.has(.hero, .toy)], then: [.wrapped(.toy)]),
      ]),
    Beat(
      "the hero brings it",
      [
        .say("{He hero} took the {toy} to the house of {friend}.", when: [.has(.hero, .toy)]),
        .say("{hero} left the {shop} and ran to the house of {friend}.", when: [.has(.hero, .toy), .at(.hero, .shop)]),
      ]),
    Beat(
      "the gift is given",
      [
        .say("\"Happy birthday, {friend}!\" said {hero}.", when: [.has(.hero, .toy)], then: [.has(.friend, .toy)]),
        .say("\"This gift is for you,\" {hero} told {friend}.", when: [.has(.hero, .toy)], then: [.has(.friend, .toy)]),
      ]),
    Beat(
      "the gift is opened",
      [
        .say("{friend} opened the box and saw the {color} {toy}.", when: [.has(.friend, .toy), .boxed(.toy)]),
        .say("{friend} looked in the box and took out the {toy}.", when: [.has(.friend, .toy), .boxed(.toy)]),
        .say("{friend} tore off the {wrap} paper and saw the {toy}.", when: [.has(.friend, .toy), .wrapped(.toy)]),
        .say("Under the {wrap} paper was the {color} {toy}.", when: [.has(.friend, .toy), .wrapped(.toy)]),
      ]),
    Beat(
      "the end",
      [
        .say("\"I love it! Thank you, {hero}!\" said {friend}.", when: [.has(.friend, .toy)]),
        .say("Then {hero} and {friend} played with the {color} {toy}.", when: [.has(.friend, .toy)]),
      ]))
}
