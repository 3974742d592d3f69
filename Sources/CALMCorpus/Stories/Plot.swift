/// A sentence of a story with its preconditions and effects.
package struct Line: Sendable {
  /// The sentence.
  package let template: Template
  /// Facts that must be true before.
  package let needs: [Fact]
  /// Facts that must not be true before.
  package let excludes: [Fact]
  /// Facts that are true afterwards.
  package let effects: [Fact]

  /// Creates a line.
  static func say(
    _ template: String, when needs: [Fact] = [], unless excludes: [Fact] = [], then effects: [Fact] = []
  ) -> Line {
    Line(template: Template(template), needs: needs, excludes: excludes, effects: effects)
  }
}

/// A step of a plot with its alternative lines.
package struct Beat: Sendable {
  /// A description of the beat.
  package let name: String
  /// The alternative lines. Those that the state of the story allows are equally likely.
  package let lines: [Line]

  init(_ name: String, _ lines: [Line]...) {
    self.name = name
    self.lines = lines.flatMap { $0 }
  }
}

/// A plot, which is a list of beats.
///
/// Stories are generated (``SyntheticStories``), recognized (``StoryGrammar``) and counted (``StoryCensus``) from the
/// same plots. All three move from one ``StoryState`` to the next with ``allowedSteps(in:)``.
package struct Plot: Sendable {
  /// The subject of the story.
  package let name: String
  /// The beats in order.
  package let beats: [Beat]

  private let steps: [[Step]]
  private let facts: [Fact]

  /// Creates a plot with at most 64 facts.
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
    precondition(facts.count <= 64, "the plot \(name) has more than 64 facts")
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

  /// A line with its facts as bit masks.
  package struct Step: Sendable {
    package let line: Line
    fileprivate let needs: UInt64
    fileprivate let excludes: UInt64
    fileprivate let sets: UInt64
    fileprivate let clears: UInt64

    /// Whether the state allows the line.
    func isAllowed(in state: StoryState) -> Bool {
      state.world & needs == needs && state.world & excludes == 0
    }
  }

  /// The lines of the next beat that the state allows; empty at the end of the story.
  package func allowedSteps(in state: StoryState) -> [Step] {
    state.beat < steps.count ? steps[state.beat].filter { $0.isAllowed(in: state) } : []
  }

  /// All lines of a beat, allowed or not.
  func steps(ofBeat beat: Int) -> [Step] { steps[beat] }

  /// The first fact that prevents a line: a required fact that is missing, or an excluded fact that is true.
  func obstacle(to step: Step, in state: StoryState) -> (fact: Fact, isMissing: Bool)? {
    for (number, fact) in facts.enumerated() {
      let bit: UInt64 = 1 << number
      if step.needs & bit != 0, state.world & bit == 0 { return (fact, true) }
      if step.excludes & bit != 0, state.world & bit != 0 { return (fact, false) }
    }
    return nil
  }
}

/// The state of a story: the next beat, the words of the roles and the true facts.
package struct StoryState: Hashable, Sendable {
  /// The index of the next beat.
  package private(set) var beat = 0
  /// The words of the roles so far.
  package private(set) var casting = Casting()
  fileprivate private(set) var world: UInt64 = 0

  /// The state before the first sentence.
  package init() {}

  /// The state after a line with the words of `casting`.
  package func after(_ step: Plot.Step, casting: Casting) -> StoryState {
    var next = self
    next.beat += 1
    next.casting = casting
    next.world = world & ~step.clears | step.sets
    return next
  }
}
