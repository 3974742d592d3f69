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

extension GeneratedSequence {
  /// Takes over the tokens of a step, up to the first end token or the maximum.
  mutating func append(
    _ step: ArraySlice<Int32>, sequence: Int, endTokens: [Int], maximum: Int
  ) -> GeneratedChunk {
    let room = maximum - tokens.count
    let text = step.prefix { !endTokens.contains(Int($0)) }
    let added = Array(text.prefix(room))
    let endsHere = text.count < step.count && text.count <= room
    tokens += added
    chunks += 1
    end = endsHere ? .endOfDocument : added.count == room ? .maximumTokens : nil
    return GeneratedChunk(sequence: sequence, tokens: added, end: end)
  }
}

/// Generates sequences step by step: ``ChunkGenerator`` or ``TokenGenerator``.
public protocol SequenceGenerator: AnyObject {
  /// What was generated so far.
  var sequences: [GeneratedSequence] { get }

  /// Samples the next chunk or token of every sequence that has not ended.
  ///
  /// - Returns: these, by ascending sequence; nil when all sequences have ended.
  func step() throws -> [GeneratedChunk]?
}
