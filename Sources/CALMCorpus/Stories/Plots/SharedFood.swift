extension Plot {
  /// Food is shared with a hungry friend, who may give something in return.
  static let sharedFood = Plot(
    "shared food",
    .opening,
    Beat(
      "the hero has food",
      [
        .say(
          "One day, {hero} took {a food} to the {place}.", then: [.has(.hero, .food), .at(.hero, .place)]),
        .say(
          "{He hero} sat {at place} with {a food} in {his hero} hand.",
          then: [.has(.hero, .food), .at(.hero, .place)]),
      ]),
    Beat(
      "a friend is hungry",
      [
        .say("{His hero} friend {friend} came to the {place} and looked hungry.", then: [.hungry(.friend)]),
        .say("Then {he hero} saw {his hero} hungry friend {friend}.", then: [.hungry(.friend)]),
      ]),
    Beat(
      "they talk",
      [
        .say("\"Do you want some of my {food}?\" asked {hero}.", when: [.has(.hero, .food), .hungry(.friend)]),
        .say("\"I am so hungry, {hero},\" said {friend}.", when: [.hungry(.friend)]),
      ]),
    Beat(
      "the food is divided",
      [
        .say("{hero} cut the {food} into two pieces.", when: [.has(.hero, .food)], then: [.halved(.food)]),
        .say("So {hero} broke the {food} in half.", when: [.has(.hero, .food)], then: [.halved(.food)]),
      ]),
    Beat(
      "the food is shared",
      [
        .say("{He hero} gave the bigger piece to {friend}.", when: [.halved(.food)]),
        .say("\"Half of the {food} is for you,\" {he hero} told {friend}.", when: [.halved(.food)]),
      ]),
    Beat(
      "they eat",
      [
        .say(
          "They sat {at place} and ate the {food} together.", when: [.halved(.food), .at(.hero, .place)],
          then: [.eaten(.food)]),
        .say("The {food} was sweet, and they ate it all up.", when: [.halved(.food)], then: [.eaten(.food)]),
      ]),
    Beat(
      "the friend gives back",
      [
        .say(
          "\"Tomorrow I will bring you {a treat},\" said {friend}.", when: [.eaten(.food)], then: [.promised(.treat)]),
        .say("\"You are a good friend, {hero},\" said {friend}.", when: [.eaten(.food)]),
      ]),
    Beat(
      "the end",
      [
        .say("And the next day, {friend} came with the {treat}.", when: [.promised(.treat)]),
        .say("{friend} did bring the {treat}, and {hero} was happy.", when: [.promised(.treat)]),
        .say(
          "After that, {hero} and {friend} always shared their food.",
          unless: [.promised(.treat)]),
        .say(
          "Then {hero} and {friend} played {at place} all day.",
          when: [.at(.hero, .place)], unless: [.promised(.treat)]),
      ]))
}
