/// Why a sequence ended.
public enum SequenceEnd: String, Hashable, Sendable, Codable {
  /// The model ended the document.
  case endOfDocument
  /// ``GenerationOptions/maximumTokens`` were generated.
  case maximumTokens
}

/// What one step added to one sequence.
public struct GeneratedChunk: Hashable, Sendable {
  /// The number of the sequence, from 0.
  public let sequence: Int
  /// The new tokens: at most K, without the prompt's left-over ones, the end token and what follows it.
  public let tokens: [Int32]
  /// Set where the sequence ends with this chunk.
  public let end: SequenceEnd?
}

/// One sequence generated from a prompt.
public struct GeneratedSequence: Hashable, Sendable, Codable {
  /// The tokens after the prompt, without the end token.
  public internal(set) var tokens: [Int32] = []
  /// The chunks sampled.
  public internal(set) var chunks = 0
  /// Why it ended; nil while it may go on.
  public internal(set) var end: SequenceEnd?
  /// Whether the prompt's left-over tokens were put over the beginning of a chunk, because none of the chunks drawn
  /// began with them. Else the first chunk is drawn from exactly those that do.
  public internal(set) var forcedPrefix = false
}
