import Foundation

/// Exact figures about all stories that ``SyntheticStories`` can tell, worked out from the plots without telling one.
public struct StoryCensus: Hashable, Sendable {
  /// How many different stories there are.
  ///
  /// This counts the ways through the plots with all choices of words. Every story can be told in one way only, so
  /// that is the number of stories too.
  public let stories: Int
  /// The entropy of a story in bits: the mean of ``Story/bits``, and the least that any code needs per story.
  public let entropy: Double

  /// Counts all stories.
  public init() {
    let counts = Plot.all.map { plot in
      var counter = Counter(plot: plot)
      return counter.count(from: StoryState())
    }
    stories = counts.reduce(0) { $0 + $1.stories }
    entropy = log2(Double(counts.count)) + counts.reduce(0) { $0 + $1.entropy } / Double(counts.count)
  }

  /// Counts the ways on from a state.
  private struct Counter {
    let plot: Plot
    var known: [StoryState: (stories: Int, entropy: Double)] = [:]

    init(plot: Plot) { self.plot = plot }

    mutating func count(from state: StoryState) -> (stories: Int, entropy: Double) {
      guard state.beat < plot.beats.count else { return (1, 0) }
      if let answer = known[state] { return answer }
      let steps = plot.allowedSteps(in: state)
      var stories = 0
      var entropy = log2(Double(steps.count))
      for step in steps {
        // Which lines can follow does not depend on the words chosen, so the first candidates stand for all.
        var casting = state.casting
        var choices = 1
        for role in step.line.template.roles where casting[role] == nil {
          let candidates = casting.candidates(for: role)
          choices *= candidates.count
          casting[role] = candidates[0]
        }
        let rest = count(from: state.after(step, casting: casting))
        stories += choices * rest.stories
        entropy += (log2(Double(choices)) + rest.entropy) / Double(steps.count)
      }
      known[state] = (stories, entropy)
      return (stories, entropy)
    }
  }
}
