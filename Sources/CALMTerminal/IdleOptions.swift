// No option is ignored silently: a command rejects options that have no effect in combination with others.

/// Options and their values; nil for an option that was not given.
package typealias OptionValues = KeyValuePairs<String, Any?>

/// Describes the given options that have no effect, as a problem for ``refuse(_:)``.
///
///     problems += withoutEffect("with --data", when: data != nil, ["--tokenizer": tokenizer])
///
/// - Parameters:
///   - reason: the reason, in words that follow "has no effect".
///   - isIdle: whether the reason applies.
///   - options: the options that have no effect.
/// - Returns: one problem that names the given options; empty if none was given.
package func withoutEffect(_ reason: String, when isIdle: Bool = true, _ options: OptionValues) -> [String] {
  withoutEffect(reason, names: isIdle ? options.filter { $0.value != nil }.map(\.key) : [])
}

/// Describes options that were given and have no effect, as a problem for ``refuse(_:)``.
package func withoutEffect(_ reason: String, names: [String]) -> [String] {
  if names.isEmpty { return [] }
  let (verb, pronoun) = names.count == 1 ? ("has", "it") : ("have", "them")
  return ["\(names.joined(separator: ", ")) \(verb) no effect \(reason); leave \(pronoun) out"]
}

extension Bool {
  /// True if the flag was given, else nil.
  package var ifGiven: Bool? { self ? true : nil }
}

extension Array {
  /// The values of a repeatable option; nil if it was not given.
  package var ifGiven: Self? { isEmpty ? nil : self }
}
