extension Plot {
  /// Two friends race; one may fall and be helped up.
  static let race = Plot(
    "a race",
    .opening,
    Beat(
      "they meet",
      [
        .say("One day, {he hero} met {his hero} friend {friend} {at place}."),
        .say("{He hero} was playing with {his hero} friend {friend} {at place}."),
      ]),
    Beat(
      "the race is agreed",
      [
        .say("\"Let us race to the {goal}!\" said {friend}."),
        .say("{friend} asked {hero} to race to the {goal}."),
      ]),
    Beat(
      "a prize is set",
      [
        .say("The winner would get {a color} {prize}."),
        .say("They both wanted to win {a color} {prize}."),
      ]),
    Beat(
      "one is ahead",
      Role.childrenInOrder.flatMap { child, other -> [Line] in
        [.say("{\(child)} ran fast, but {\(other)} was faster.", then: [.ahead(other)])]
      }),
    Beat(
      "one may fall",
      Role.childrenInOrder.flatMap { child, other -> [Line] in
        [
          .say(
            "Then {\(child)} fell down and hurt {his \(child)} knee.", when: [.ahead(child)], then: [.hurt(child)]),
          .say(
            "But {\(other)} did not give up and ran past {\(child)}.", when: [.ahead(child)], then: [.ahead(other)]),
        ]
      }),
    Beat(
      "the race is decided",
      Role.childrenInOrder.flatMap { child, other -> [Line] in
        [
          .say("{\(other)} stopped and helped {\(child)} get up.", when: [.hurt(child)]),
          .say("\"Take my hand, {\(child)},\" said {\(other)}.", when: [.hurt(child)]),
          .say(
            "{\(child)} got to the {goal} first.",
            when: [.ahead(child)], unless: [.hurt(child)], then: [.won(child)]),
          .say(
            "So {\(child)} was the first to touch the {goal}.",
            when: [.ahead(child)], unless: [.hurt(child)], then: [.won(child)]),
        ]
      }),
    Beat(
      "they talk about it",
      Role.childrenInOrder.flatMap { child, other -> [Line] in
        [
          .say("\"You are very fast, {\(child)}!\" said {\(other)}.", when: [.won(child)]),
          .say("{\(child)} laughed, and {\(other)} clapped.", when: [.won(child)]),
          .say("\"You are a good friend, {\(other)},\" said {\(child)}.", when: [.hurt(child)], then: [.wonTogether]),
          .say(
            "They walked to the {goal} together, and {\(child)} smiled.", when: [.hurt(child)], then: [.wonTogether]),
        ]
      }),
    Beat(
      "the end",
      Role.childrenInOrder.flatMap { child, other -> [Line] in
        [
          .say("{\(child)} got the {color} {prize} and was very proud.", when: [.won(child)]),
          .say(
            "{\(other)} gave the {color} {prize} to {\(child)}, and they hugged.",
            when: [.won(child)]),
        ]
      },
      [
        .say(
          "{hero} and {friend} shared the {color} {prize}.", when: [.wonTogether]),
        .say("They both held the {color} {prize} and were happy.", when: [.wonTogether]),
      ]))
}
