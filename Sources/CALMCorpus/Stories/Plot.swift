/// One way to tell a moment of a story: a sentence, when it may be told and what it makes true.
package struct Line: Sendable {
  /// The sentence.
  package let template: Template
  /// What must be true before.
  package let needs: [Fact]
  /// What must not be true before.
  package let excludes: [Fact]
  /// What is true afterwards.
  package let effects: [Fact]

  /// A sentence.
  static func say(
    _ template: String, when needs: [Fact] = [], unless excludes: [Fact] = [], then effects: [Fact] = []
  ) -> Line {
    Line(template: Template(template), needs: needs, excludes: excludes, effects: effects)
  }
}

/// A moment that every story of a plot passes, and the lines that can tell it.
package struct Beat: Sendable {
  /// What happens, for reports.
  package let name: String
  /// The lines; those that the state of the story allows are equally likely.
  package let lines: [Line]

  init(_ name: String, _ lines: [Line]...) {
    self.name = name
    self.lines = lines.flatMap { $0 }
  }
}

/// A kind of story: beats in order.
///
/// This is the one description from which stories are told (``SyntheticStories``), recognised (``StoryGrammar``) and counted
/// (``StoryCensus``); all three go from one ``StoryState`` to the next by ``allowedSteps(in:)``.
package struct Plot: Sendable {
  /// What the story is about, for reports.
  package let name: String
  /// The beats in the order in which they happen.
  package let beats: [Beat]

  private let steps: [[Step]]
  private let facts: [Fact]

  /// Makes a plot. It may speak of up to 64 facts.
  init(_ name: String, _ beats: Beat...) {
    self.name = name
    self.beats = beats
    var numbers: [Fact: Int] = [:]
    var facts: [Fact] = []
    for line in beats.flatMap(\.lines) {
      for fact in line.needs + line.excludes + line.effects where numbers[fact] == nil {
        numbers[fact] = facts.count
        facts.append(fact)
      }
    }
    precondition(facts.count <= 64, "the plot \(name) speaks of more than 64 facts")
    func mask(_ facts: some Sequence<Fact>) -> UInt64 {
      facts.reduce(0) { $0 | (1 << (numbers[$1] ?? 0)) }
    }
    self.facts = facts
    steps = beats.map { beat in
      beat.lines.map { line in
        let variables = Set(line.effects.map(\.variable))
        return Step(
          line: line, needs: mask(line.needs), excludes: mask(line.excludes), sets: mask(line.effects),
          clears: mask(facts.filter { variables.contains($0.variable) }))
      }
    }
  }

  /// A line with its facts as bits.
  package struct Step: Sendable {
    package let line: Line
    fileprivate let needs: UInt64
    fileprivate let excludes: UInt64
    fileprivate let sets: UInt64
    fileprivate let clears: UInt64

    /// Whether the state of the world allows the line.
    func isAllowed(in state: StoryState) -> Bool {
      state.world & needs == needs && state.world & excludes == 0
    }
  }

  /// The lines of the next beat that the state allows, or none at the end of the story.
  package func allowedSteps(in state: StoryState) -> [Step] {
    state.beat < steps.count ? steps[state.beat].filter { $0.isAllowed(in: state) } : []
  }

  /// All lines of a beat, allowed or not.
  func steps(ofBeat beat: Int) -> [Step] { steps[beat] }

  /// What a line needs that is not so: the missing fact, or the one that stands in its way.
  func obstacle(to step: Step, in state: StoryState) -> (fact: Fact, isMissing: Bool)? {
    for (number, fact) in facts.enumerated() {
      let bit: UInt64 = 1 << number
      if step.needs & bit != 0, state.world & bit == 0 { return (fact, true) }
      if step.excludes & bit != 0, state.world & bit != 0 { return (fact, false) }
    }
    return nil
  }
}

/// How far a story has come: the next beat, who plays which role and what is true.
package struct StoryState: Hashable, Sendable {
  /// The position of the next beat.
  package private(set) var beat = 0
  /// The roles that have been cast.
  package private(set) var casting = Casting()
  fileprivate private(set) var world: UInt64 = 0

  /// The state before the first sentence.
  package init() {}

  /// The state after a line, told with the words of `casting`.
  package func after(_ step: Plot.Step, casting: Casting) -> StoryState {
    var next = self
    next.beat += 1
    next.casting = casting
    next.world = world & ~step.clears | step.sets
    return next
  }
}
