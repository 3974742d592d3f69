/// Recognises tales: tells for any text which sentences are sentences of the tales, and whether a whole story holds
/// together.
///
/// It reads the same plots that ``SyntheticStories`` tells from. A sentence is accepted if some plot can say it with some words
/// in its slots. A story is consistent if one plot can tell all of it, sentence by sentence, with one word for each
/// role from its first mention on and with every line allowed by what has happened before.
///
///     let judgement = StoryGrammar().judge(text)
///     print(judgement.isConsistent, judgement.problem?.description ?? "")
public struct StoryGrammar: Sendable {
  private let templates: [Template]

  /// Creates a recogniser. All recognisers are alike; making one costs a little, so keep it.
  public init() {
    let lines = Plot.all.flatMap(\.beats).flatMap(\.lines)
    var known: Set<String> = []
    templates = lines.map(\.template).filter { known.insert($0.description).inserted }
  }

  /// The sentences of a text, and what follows the last complete one, if anything.
  ///
  /// A sentence ends with a full stop, an exclamation or a question mark, quotations being part of the sentence that
  /// contains them. Any text has an answer.
  public func sentences(in text: some StringProtocol) -> (complete: [String], remainder: String?) {
    let splitter = StorySplitter(text)
    let remainder = splitter.remainder
    return (
      splitter.sentences.map { String(decoding: $0, as: UTF8.self) },
      remainder.isEmpty ? nil : String(decoding: remainder, as: UTF8.self)
    )
  }

  /// Whether a text is one sentence of the tales, letter by letter.
  public func accepts(sentence: some StringProtocol) -> Bool {
    accepts(Array(sentence.utf8))
  }

  private func accepts(_ sentence: [UInt8]) -> Bool {
    templates.contains { $0.match(sentence) != nil }
  }

  /// Judges a story, complete or cut short anywhere.
  public func judge(_ story: some StringProtocol) -> StoryJudgement {
    let splitter = StorySplitter(story)
    var sentences = splitter.sentences
    var remainder = splitter.remainder
    var readings = Reading.beginnings
    var misfit: Int?
    for (index, sentence) in sentences.enumerated() {
      let next = readings.flatMap { $0.continued(by: sentence) }
      if next.isEmpty {
        // A story cut inside a quotation, or right after it, seems to end with a sentence that it only begins.
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
    // What fits into a story is a sentence of the tales; only from the first misfit on there is need to look.
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
      return count == 0 ? StoryProblem(sentence: 1, kind: .nothingTold) : nil
    }
    if readings.contains(where: { $0.isContinued(byCut: remainder) }) { return nil }
    return StoryProblem(sentence: count + 1, kind: readings.contains(where: \.isOver) ? .afterTheEnd : .notASentence)
  }

  /// In how many ways the plots can tell a complete story; 1 for every tale.
  package func derivations(of story: some StringProtocol) -> Int {
    StorySplitter(story).sentences
      .reduce(Reading.beginnings) { readings, sentence in readings.flatMap { $0.continued(by: sentence) } }
      .count(where: \.isOver)
  }
}

/// One way to understand a story so far: the plot it follows and how far it has come.
struct Reading: Sendable {
  let plot: Plot
  let state: StoryState

  /// How any story can begin.
  static let beginnings = Plot.all.map { Reading(plot: $0, state: StoryState()) }

  /// Whether the plot is told to its end.
  var isOver: Bool { state.beat == plot.beats.count }

  /// The readings after one more sentence; none if it cannot come here.
  func continued(by sentence: [UInt8]) -> [Reading] {
    plot.allowedSteps(in: state).compactMap { step in
      step.line.template.match(sentence, casting: state.casting).map { casting in
        Reading(plot: plot, state: state.after(step, casting: casting))
      }
    }
  }

  /// Whether a sentence that can come here begins so.
  func isContinued(byCut sentence: [UInt8]) -> Bool {
    plot.allowedSteps(in: state).contains {
      $0.line.template.match(sentence, casting: state.casting, allowingCut: true) != nil
    }
  }
}
