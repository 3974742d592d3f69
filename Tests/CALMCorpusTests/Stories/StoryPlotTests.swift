import CALMCorpus
import CALMSupport
import Foundation
import Testing

@Suite("Story plots")
struct StoryPlotTests {
  @Test("Every plot can always reach its end, and can use each of its lines", arguments: Plot.all.indices)
  func reachability(index: Int) {
    let plot = Plot.all[index]
    var unused = Set(plot.beats.flatMap { beat in beat.lines.map { key(beat, $0) } })
    var seen: Set<StoryState> = []
    var open = [StoryState()]
    while let state = open.popLast() {
      guard seen.insert(state).inserted, state.beat < plot.beats.count else { continue }
      let steps = plot.allowedSteps(in: state)
      #expect(!steps.isEmpty, "\(plot.name) stops before: \(plot.beats[state.beat].name)")
      for step in steps {
        unused.remove(key(plot.beats[state.beat], step.line))
        // The chosen words do not affect the following lines, so one choice represents all.
        var casting = state.casting
        for role in step.line.template.roles where casting[role] == nil {
          casting[role] = casting.candidates(for: role).first
        }
        open.append(state.after(step, casting: casting))
      }
    }
    #expect(unused.isEmpty, "never used in \(plot.name): \(unused)")
  }

  @Test(
    "A plot can make every fact true that it tests, and tests every fact that it makes true",
    arguments: Plot.all.indices
  )
  func facts(index: Int) {
    let lines = Plot.all[index].beats.flatMap(\.lines)
    let tested = Set(lines.flatMap { $0.needs + $0.excludes })
    let made = Set(lines.flatMap(\.effects))
    #expect(tested.symmetricDifference(made).isEmpty)
  }

  @Test(
    "Every beat has at least two lines, all of them different",
    arguments: Plot.all.indices)
  func lines(index: Int) {
    for beat in Plot.all[index].beats {
      let sentences = beat.lines.map(\.template.description)
      #expect(Set(sentences).count == sentences.count, "\(beat.name)")
      #expect(beat.lines.count >= 2, "\(beat.name)")
    }
  }

  @Test("Nearly all of 120,000 random stories are different")
  func distinctStories() {
    var generator = SeededGenerator(seed: 21)
    let source = SyntheticStories()
    let stories = Set((0..<120_000).map { _ in source.story(using: &generator) })
    #expect(stories.count >= 119_000)
    #expect(StoryCensus().stories >= 100_000_000)
  }

  @Test("Every story has exactly one derivation, so the census counts stories")
  func unambiguity() {
    let grammar = StoryGrammar()
    for story in SyntheticStories().stories(seed: 22, bytes: 500_000) {
      #expect(grammar.derivations(of: story) == 1, "\(story)")
    }
  }

  @Test("The mean information content of random stories equals the entropy of the census")
  func entropy() {
    var generator = SeededGenerator(seed: 23)
    let source = SyntheticStories()
    let bits = (0..<10_000).map { _ in source.generate(using: &generator).bits }
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
