// No option is accepted and ignored: a command refuses those that have no effect beside others.

/// Options and their values; nil where an option was not given.
package typealias OptionValues = KeyValuePairs<String, Any?>

/// The options among some that were given although they have no effect, as a problem for ``refuse(_:)``.
///
///     problems += withoutEffect("with --plain", when: plain == true, ["--kl-weight": klWeight, "--kl-clamp": klClamp])
///
/// - Parameters:
///   - reason: why they have none, in words that follow "has no effect".
///   - isIdle: whether the reason holds.
///   - options: the options that it concerns.
/// - Returns: one problem that names the options; nothing where none was given.
package func withoutEffect(_ reason: String, when isIdle: Bool = true, _ options: OptionValues) -> [String] {
  withoutEffect(reason, names: isIdle ? options.filter { $0.value != nil }.map(\.key) : [])
}

/// The same for options that were given.
package func withoutEffect(_ reason: String, names: [String]) -> [String] {
  if names.isEmpty { return [] }
  let (verb, pronoun) = names.count == 1 ? ("has", "it") : ("have", "them")
  return ["\(names.joined(separator: ", ")) \(verb) no effect \(reason); leave \(pronoun) out"]
}

extension Bool {
  /// True where a flag was given, else nil.
  package var ifGiven: Bool? { self ? true : nil }
}

extension Array {
  /// The values of an option that may be repeated; nil where it was not given.
  package var ifGiven: Self? { isEmpty ? nil : self }
}
