import CALMCorpus
import CALMSupport
import Foundation
import Testing

@Suite("Plots of the tales")
struct TalePlotTests {
  @Test("every plot can always go on to its end, and can tell every line it has", arguments: Plot.all.indices)
  func reachability(index: Int) {
    let plot = Plot.all[index]
    var untold = Set(plot.beats.flatMap { beat in beat.lines.map { key(beat, $0) } })
    var seen: Set<StoryState> = []
    var open = [StoryState()]
    while let state = open.popLast() {
      guard seen.insert(state).inserted, state.beat < plot.beats.count else { continue }
      let steps = plot.allowedSteps(in: state)
      #expect(!steps.isEmpty, "\(plot.name) stops before: \(plot.beats[state.beat].name)")
      for step in steps {
        untold.remove(key(plot.beats[state.beat], step.line))
        // Which words are chosen decides nothing about what can follow, so one choice stands for all.
        var casting = state.casting
        for role in step.line.template.roles where casting[role] == nil {
          casting[role] = casting.candidates(for: role).first
        }
        open.append(state.after(step, casting: casting))
      }
    }
    #expect(untold.isEmpty, "never told in \(plot.name): \(untold)")
  }

  @Test(
    "every fact that a plot asks for is one that it can make true, and the other way round", arguments: Plot.all.indices
  )
  func facts(index: Int) {
    let lines = Plot.all[index].beats.flatMap(\.lines)
    let asked = Set(lines.flatMap { $0.needs + $0.excludes })
    let made = Set(lines.flatMap(\.effects))
    #expect(asked.symmetricDifference(made).isEmpty)
  }

  @Test(
    "every beat has at least two lines, no two of them alike",
    arguments: Plot.all.indices)
  func lines(index: Int) {
    for beat in Plot.all[index].beats {
      let sentences = beat.lines.map(\.template.description)
      #expect(Set(sentences).count == sentences.count, "\(beat.name)")
      #expect(beat.lines.count >= 2, "\(beat.name)")
    }
  }

  @Test("there are far more than 100,000 stories: 120,000 told by chance are nearly all different")
  func distinctStories() {
    var generator = SeededGenerator(seed: 21)
    let tales = SyntheticStories()
    let stories = Set((0..<120_000).map { _ in tales.story(using: &generator) })
    #expect(stories.count >= 119_000)
    #expect(StoryCensus().stories >= 100_000_000)
  }

  @Test("every story can be told in one way only, so the census counts stories and not ways to tell them")
  func unambiguity() {
    let grammar = StoryGrammar()
    for story in SyntheticStories().stories(seed: 22, bytes: 500_000) {
      #expect(grammar.derivations(of: story) == 1, "\(story)")
    }
  }

  @Test("the mean information of stories is the entropy of the census")
  func entropy() {
    var generator = SeededGenerator(seed: 23)
    let tales = SyntheticStories()
    let bits = (0..<10_000).map { _ in tales.tale(using: &generator).bits }
    let mean = bits.reduce(0, +) / Double(bits.count)
    let variance = bits.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(bits.count - 1)
    let standardError = (variance / Double(bits.count)).squareRoot()
    // Six standard errors: a false alarm in 10^8.
    #expect(abs(mean - StoryCensus().entropy) < 6 * standardError)
  }

  private func key(_ beat: Beat, _ line: Line) -> String {
    "\(beat.name): \(line.template.description)"
  }
}
