/// Why a sequence ended.
public enum SequenceEnd: String, Hashable, Sendable, Codable {
  /// The model ended the document.
  case endOfDocument
  /// The sequence has ``GenerationOptions/maximumTokens``.
  case maximumTokens
}

/// The tokens that one step adds to one sequence.
public struct GeneratedChunk: Hashable, Sendable {
  /// The index of the sequence, from 0.
  public let sequence: Int
  /// The new tokens: at most K, without tokens of the prompt, the end token and the tokens after it.
  public let tokens: [Int32]
  /// Why the sequence ends with this chunk; nil if it continues.
  public let end: SequenceEnd?
}

/// One sequence generated from a prompt.
public struct GeneratedSequence: Hashable, Sendable, Codable {
  /// The tokens after the prompt, without the end token.
  public internal(set) var tokens: [Int32] = []
  /// The number of chunks.
  public internal(set) var chunks = 0
  /// Why the sequence ended; nil if it continues.
  public internal(set) var end: SequenceEnd?
  /// Whether the prompt's last tokens replaced the first tokens of a chunk, because no sampled chunk began with them.
  /// Otherwise the first chunk follows the exact conditional distribution.
  public internal(set) var forcedPrefix = false
}

extension GeneratedSequence {
  /// Appends the tokens of a step, up to the first end token or the maximum.
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
  /// The sequences generated so far.
  var sequences: [GeneratedSequence] { get }

  /// Samples the next chunk or token of every sequence that has not ended.
  ///
  /// - Returns: the new tokens, by ascending sequence; nil if all sequences have ended.
  func step() throws -> [GeneratedChunk]?
}
