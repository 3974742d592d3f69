/// Finds stop strings in a text that arrives in pieces.
///
/// Text that may begin a stop string is held back until it is decided. Strings are compared by their bytes, as clients
/// do, not by canonical equivalence.
package struct StopMatcher: Sendable {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []
  /// Whether a stop string has occurred.
  package private(set) var isStopped = false

  /// - Parameter stops: not empty each.
  package init(_ stops: [String]) {
    self.stops = stops.map { Array($0.utf8) }
  }

  /// Adds a piece of whole characters.
  ///
  /// - Returns: the text that is certainly before any stop string.
  package mutating func append(_ text: String) -> String {
    if isStopped { return "" }
    if stops.isEmpty { return text }
    held += Array(text.utf8)
    for start in held.indices where stops.contains(where: { held[start...].starts(with: $0) }) {
      isStopped = true
      return release(start, of: held)
    }
    // The longest end that begins a stop string begins with that string's first character, so it is whole.
    let start = held.indices.first { start in stops.contains { $0.starts(with: held[start...]) } }
    return release(start ?? held.endIndex, of: held)
  }

  /// The text that was held back: no stop string followed.
  package mutating func finish() -> String {
    isStopped ? "" : release(held.endIndex, of: held)
  }

  private mutating func release(_ count: Int, of bytes: [UInt8]) -> String {
    held = Array(bytes[count...])
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
