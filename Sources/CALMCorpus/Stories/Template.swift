/// A sentence with slots: `"{He hero} took {a color} {toy} to the {place}."`
///
/// A slot contains a role, optionally preceded by a ``Form``; the default form is the bare word. A form that starts
/// with a capital letter capitalizes the word. The same template renders a sentence (``render(_:into:)``) and matches
/// one (``match(_:casting:allowingCut:)``).
package struct Template: Hashable, Sendable, CustomStringConvertible {
  /// A position in a sentence that a role fills.
  package struct Slot: Hashable, Sendable {
    /// The role.
    package let role: Role
    /// The form of the word.
    package let form: Form
    let isCapitalized: Bool

    /// The bytes of the slot if the word with index `word` in the role's category fills the role.
    func spelling(_ word: Int) -> [UInt8] {
      Spelling.table[role.category.rawValue][word][form.rawValue][isCapitalized ? 1 : 0]
    }
  }

  private enum Piece: Hashable, Sendable {
    case text([UInt8])
    case slot(Slot)
  }

  private let pieces: [Piece]

  /// The source text of the template.
  package let description: String

  /// The slots in order.
  package var slots: [Slot] {
    pieces.compactMap { if case .slot(let slot) = $0 { slot } else { nil } }
  }

  /// Parses a template. A syntax error is a programming error and traps.
  package init(_ source: String) {
    description = source
    var pieces: [Piece] = []
    for part in source.split(separator: "{", omittingEmptySubsequences: false).enumerated() {
      guard part.offset > 0 else {
        if !part.element.isEmpty { pieces.append(.text(Array(part.element.utf8))) }
        continue
      }
      let halves = part.element.split(separator: "}", maxSplits: 1, omittingEmptySubsequences: false)
      precondition(halves.count == 2, "a slot is not closed in the template: \(source)")
      pieces.append(.slot(Template.slot(halves[0], in: source)))
      if !halves[1].isEmpty { pieces.append(.text(Array(halves[1].utf8))) }
    }
    self.pieces = pieces
  }

  private static func slot(_ source: Substring, in template: String) -> Slot {
    let words = source.split(separator: " ")
    let form = words.count == 2 ? Form(named: words[0].lowercased()) : .name
    guard let form, let role = words.last.flatMap({ name in Role.allCases.first { "\($0)" == name } }) else {
      preconditionFailure("no such slot as {\(source)} in the template: \(template)")
    }
    precondition(
      role.category.words.allSatisfy { $0.spelling(form) != nil }, "{\(source)} has no such form: \(template)")
    return Slot(role: role, form: form, isCapitalized: words.count == 2 && words[0].first?.isUppercase == true)
  }

  /// The roles in the sentence, each once, in the order of their first mention.
  package var roles: [Role] {
    slots.reduce(into: []) { roles, slot in
      if !roles.contains(slot.role) { roles.append(slot.role) }
    }
  }

  /// Renders the sentence. Every role in it must have a word.
  func render(_ casting: Casting, into output: inout [UInt8]) {
    for piece in pieces {
      switch piece {
      case .text(let bytes): output += bytes
      case .slot(let slot):
        guard let word = casting[slot.role] else {
          preconditionFailure("the role \(slot.role) has no word in: \(description)")
        }
        output += slot.spelling(word)
      }
    }
  }

  /// Matches a sentence.
  ///
  /// - Parameters:
  ///   - text: The bytes of one sentence.
  ///   - casting: The known roles, with which the words in their slots must agree.
  ///   - allowingCut: Whether a prefix of the sentence matches.
  /// - Returns: The casting with the roles that the sentence introduces, or `nil` if the sentence does not match.
  func match(_ text: [UInt8], casting: Casting = Casting(), allowingCut: Bool = false) -> Casting? {
    match(text[...], piece: 0, casting: casting, allowingCut: allowingCut)
  }

  private func match(_ rest: ArraySlice<UInt8>, piece index: Int, casting: Casting, allowingCut: Bool) -> Casting? {
    guard index < pieces.count else { return rest.isEmpty ? casting : nil }
    func matchNext(_ bytes: [UInt8], _ casting: Casting) -> Casting? {
      if rest.starts(with: bytes) {
        return match(rest.dropFirst(bytes.count), piece: index + 1, casting: casting, allowingCut: allowingCut)
      }
      return allowingCut && bytes.starts(with: rest) ? casting : nil
    }
    switch pieces[index] {
    case .text(let bytes):
      return matchNext(bytes, casting)
    case .slot(let slot):
      if let word = casting[slot.role] {
        return matchNext(slot.spelling(word), casting)
      }
      for word in casting.candidates(for: slot.role) {
        var extended = casting
        extended[slot.role] = word
        if let found = matchNext(slot.spelling(word), extended) { return found }
      }
      return nil
    }
  }
}
