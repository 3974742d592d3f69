import Foundation

/// Exact statistics of all stories that ``SyntheticStories`` can generate, computed from the plots.
public struct StoryCensus: Hashable, Sendable {
  /// The number of different stories.
  ///
  /// This counts all paths through the plots with all choices of words. Every story has exactly one derivation, so this
  /// is also the number of stories.
  public let stories: Int
  /// The entropy of a story in bits: the mean of ``Story/bits``, and the shortest mean code length per story.
  public let entropy: Double

  /// Computes the statistics.
  public init() {
    let counts = Plot.all.map { plot in
      var counter = Counter(plot: plot)
      return counter.count(from: StoryState())
    }
    stories = counts.reduce(0) { $0 + $1.stories }
    entropy = log2(Double(counts.count)) + counts.reduce(0) { $0 + $1.entropy } / Double(counts.count)
  }

  /// Counts the continuations of a state.
  private struct Counter {
    let plot: Plot
    var cache: [StoryState: (stories: Int, entropy: Double)] = [:]

    init(plot: Plot) { self.plot = plot }

    mutating func count(from state: StoryState) -> (stories: Int, entropy: Double) {
      guard state.beat < plot.beats.count else { return (1, 0) }
      if let answer = cache[state] { return answer }
      let steps = plot.allowedSteps(in: state)
      var stories = 0
      var entropy = log2(Double(steps.count))
      for step in steps {
        // The lines that can follow do not depend on the chosen words, so the first candidates represent all.
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
      cache[state] = (stories, entropy)
      return (stories, entropy)
    }
  }
}
