/// A sentence with slots: `"{He hero} took {a color} {toy} to the {place}."`
///
/// A slot is a role, with a ``Form`` before it where another form than the bare word is wanted. A form that begins
/// with a capital letter makes the word do so too. The same template writes a sentence (``render(_:into:)``) and
/// recognises one (``match(_:casting:allowingCut:)``).
package struct Template: Hashable, Sendable, CustomStringConvertible {
  /// A place in a sentence that a role fills.
  package struct Slot: Hashable, Sendable {
    /// The part whose word stands here.
    package let role: Role
    /// The form of the word.
    package let form: Form
    let isCapitalized: Bool

    /// The bytes of the word that stands here when `word`, a position in the role's category, plays the role.
    func spelling(_ word: Int) -> [UInt8] {
      Spelling.table[role.category.rawValue][word][form.rawValue][isCapitalized ? 1 : 0]
    }
  }

  private enum Piece: Hashable, Sendable {
    case text([UInt8])
    case slot(Slot)
  }

  private let pieces: [Piece]

  /// The template as written.
  package let description: String

  /// The slots in the order in which they stand.
  package var slots: [Slot] {
    pieces.compactMap { if case .slot(let slot) = $0 { slot } else { nil } }
  }

  /// Reads a template. A mistake in it is the author's and stops the program.
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

  /// The roles that the sentence mentions, each once, in the order of their first mention.
  package var roles: [Role] {
    slots.reduce(into: []) { roles, slot in
      if !roles.contains(slot.role) { roles.append(slot.role) }
    }
  }

  /// Writes the sentence. Every role that it mentions must be cast.
  func render(_ casting: Casting, into output: inout [UInt8]) {
    for piece in pieces {
      switch piece {
      case .text(let bytes): output += bytes
      case .slot(let slot):
        guard let word = casting[slot.role] else {
          preconditionFailure("the role \(slot.role) is not cast in: \(description)")
        }
        output += slot.spelling(word)
      }
    }
  }

  /// Recognises a sentence.
  ///
  /// - Parameters:
  ///   - text: The bytes of one sentence.
  ///   - casting: The roles known beforehand; words in their slots must agree with it, in person and in gender.
  ///   - allowingCut: Whether a beginning of the sentence is enough.
  /// - Returns: The casting with the roles added that the sentence introduces, or `nil` if it does not fit.
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
