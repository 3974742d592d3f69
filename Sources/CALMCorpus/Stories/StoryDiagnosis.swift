/// Determines why a sentence of the grammar does not fit at its position in a story.
struct StoryDiagnosis {
  /// The most specific reason.
  let kind: StoryProblem.Kind

  /// - Parameters:
  ///   - sentence: A sentence of the grammar.
  ///   - readings: The readings of the preceding text, none of which the sentence can continue.
  init(_ sentence: [UInt8], after readings: [Reading]) {
    if readings.allSatisfy(\.isOver) {
      kind = .afterTheEnd
      return
    }
    let findings = readings.filter { !$0.isOver }.flatMap { reading in
      reading.plot.steps(ofBeat: reading.state.beat).compactMap { step in
        StoryDiagnosis.finding(sentence, step: step, plot: reading.plot, state: reading.state)
      }
    }
    if let best = findings.min(by: { $0.distance < $1.distance }) {
      kind = best.kind
    } else {
      let lines = readings.flatMap(\.plot.beats).flatMap(\.lines)
      kind = lines.contains { $0.template.match(sentence) != nil } ? .outOfOrder : .anotherStory
    }
  }

  /// The reason why `step` cannot produce the sentence, and a distance between them; `nil` if the template does not
  /// match.
  private static func finding(
    _ sentence: [UInt8], step: Plot.Step, plot: Plot, state: StoryState
  ) -> (kind: StoryProblem.Kind, distance: Int)? {
    let template = step.line.template
    guard let match = template.match(sentence) else { return nil }
    let mistakes = template.slots.compactMap { slot -> StoryProblem.Kind? in
      guard let known = state.casting[slot.role], let found = match[slot.role] else { return nil }
      let (foundSpelling, knownSpelling) = (slot.spelling(found), slot.spelling(known))
      guard foundSpelling != knownSpelling else { return nil }
      if slot.form.isPronoun {
        return .wrongPronoun(
          found: String(decoding: foundSpelling, as: UTF8.self), person: slot.role.category.words[known].name)
      }
      return .wrongWord(
        found: slot.role.category.words[found].name, expected: slot.role.category.words[known].name)
    }
    if let first = mistakes.first { return (first, mistakes.count) }
    if let obstacle = plot.obstacle(to: step, in: state) {
      let fact = obstacle.fact.description(in: state.casting)
      return (obstacle.isMissing ? .untrue(fact) : .ruledOut(fact), 1)
    }
    // All known roles agree, so a new role uses a word that already has another role.
    let taken = template.roles.first { role in
      state.casting[role] == nil && match[role].map { !state.casting.candidates(for: role).contains($0) } == true
    }
    return taken.flatMap { match.word($0) }.map { (.usedTwice($0.name), 1) }
  }
}
