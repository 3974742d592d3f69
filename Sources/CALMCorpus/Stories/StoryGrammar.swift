/// Recognizes synthetic stories: checks which sentences of a text are grammatical, and whether the whole text is a
/// consistent story.
///
/// It uses the same plots as ``SyntheticStories``. A sentence is accepted if some line of a plot produces it with some
/// choice of words. A story is consistent if one plot produces all of it, sentence by sentence, with the same word for
/// each role throughout, and if the preceding events allow every line.
///
///     let judgement = StoryGrammar().judge(text)
///     print(judgement.isConsistent, judgement.problem?.description ?? "")
public struct StoryGrammar: Sendable {
  private let templates: [Template]

  /// Creates a grammar. All grammars are equal; reuse one, because creating it takes some time.
  public init() {
    let lines = Plot.all.flatMap(\.beats).flatMap(\.lines)
    var known: Set<String> = []
    templates = lines.map(\.template).filter { known.insert($0.description).inserted }
  }

  /// Splits a text into complete sentences and an incomplete remainder, if any.
  ///
  /// A sentence ends with a full stop, an exclamation mark or a question mark; quotations belong to the sentence that
  /// contains them. Any text is valid input.
  public func sentences(in text: some StringProtocol) -> (complete: [String], remainder: String?) {
    let splitter = StorySplitter(text)
    let remainder = splitter.remainder
    return (
      splitter.sentences.map { String(decoding: $0, as: UTF8.self) },
      remainder.isEmpty ? nil : String(decoding: remainder, as: UTF8.self)
    )
  }

  /// Whether a text is exactly one sentence of the grammar.
  public func accepts(sentence: some StringProtocol) -> Bool {
    accepts(Array(sentence.utf8))
  }

  private func accepts(_ sentence: [UInt8]) -> Bool {
    templates.contains { $0.match(sentence) != nil }
  }

  /// Judges a story, which may be truncated anywhere.
  public func judge(_ story: some StringProtocol) -> StoryJudgement {
    let splitter = StorySplitter(story)
    var sentences = splitter.sentences
    var remainder = splitter.remainder
    var readings = Reading.beginnings
    var misfit: Int?
    for (index, sentence) in sentences.enumerated() {
      let next = readings.flatMap { $0.continued(by: sentence) }
      if next.isEmpty {
        // A story truncated in or right after a quotation may seem to end with a complete sentence.
        let tail = splitter.tail(fromSentence: index)
        if readings.contains(where: { $0.isContinued(byCut: tail) }) {
          sentences.removeSubrange(index...)
          remainder = tail
        } else {
          misfit = index
        }
        break
      }
      readings = next
    }
    // Sentences before the misfit are part of a story, so they are accepted.
    let accepted = sentences.enumerated().map { $0.offset < (misfit ?? sentences.count) || accepts($0.element) }
    let problem =
      if let misfit {
        StoryProblem(
          sentence: misfit + 1,
          kind: accepted[misfit] ? StoryDiagnosis(sentences[misfit], after: readings).kind : .notASentence)
      } else {
        problem(ofRemainder: remainder, after: sentences.count, readings: readings)
      }
    return StoryJudgement(
      sentences: sentences.count,
      acceptedSentences: accepted.count { $0 },
      isComplete: problem == nil && remainder.isEmpty && readings.contains(where: \.isOver),
      problem: problem)
  }

  private func problem(ofRemainder remainder: [UInt8], after count: Int, readings: [Reading]) -> StoryProblem? {
    if remainder.isEmpty {
      return count == 0 ? StoryProblem(sentence: 1, kind: .noText) : nil
    }
    if readings.contains(where: { $0.isContinued(byCut: remainder) }) { return nil }
    return StoryProblem(sentence: count + 1, kind: readings.contains(where: \.isOver) ? .afterTheEnd : .notASentence)
  }

  /// The number of derivations of a complete story from the plots, which is 1 for every generated story.
  package func derivations(of story: some StringProtocol) -> Int {
    StorySplitter(story).sentences
      .reduce(Reading.beginnings) { readings, sentence in readings.flatMap { $0.continued(by: sentence) } }
      .count(where: \.isOver)
  }
}

/// A partial derivation of a story: its plot and the state after the sentences so far.
struct Reading: Sendable {
  let plot: Plot
  let state: StoryState

  /// The readings before the first sentence.
  static let beginnings = Plot.all.map { Reading(plot: $0, state: StoryState()) }

  /// Whether the plot has ended.
  var isOver: Bool { state.beat == plot.beats.count }

  /// The readings after one more sentence; empty if the sentence does not fit here.
  func continued(by sentence: [UInt8]) -> [Reading] {
    plot.allowedSteps(in: state).compactMap { step in
      step.line.template.match(sentence, casting: state.casting).map { casting in
        Reading(plot: plot, state: state.after(step, casting: casting))
      }
    }
  }

  /// Whether a sentence that fits here starts with `sentence`.
  func isContinued(byCut sentence: [UInt8]) -> Bool {
    plot.allowedSteps(in: state).contains {
      $0.line.template.match(sentence, casting: state.casting, allowingCut: true) != nil
    }
  }
}
