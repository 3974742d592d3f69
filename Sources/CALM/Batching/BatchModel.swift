import Torch

/// A model that generates sequences which begin and end at different times: continuous batching.
///
/// Each sequence has a cache, options and random numbers of its own, and its tokens do not depend on the other
/// sequences: on the CPU, a seed gives the same tokens bit for bit whatever else is in the batch. All sequences share
/// their products, which ``keepingRowsApart(_:)`` computes independently of each other.
package protocol BatchModel: AnyObject {
  /// Tokens per position.
  var chunkSize: Int { get }
  /// The maximum number of tokens in a sequence: what the model was made for.
  var maximumTokens: Int { get }
  /// The memory of keys and values, in bytes per position.
  var bytesPerPosition: Int { get }
  /// The ways in which the model can be sampled, its own first.
  var samplers: [GenerationOptions.Sampler] { get }
  /// Whether a document starts with an end token, so that a prompt needs no other prefix.
  var hasDocumentEnds: Bool { get }

  /// Prepares a sequence, without any computation.
  ///
  /// - Parameters:
  ///   - prompt: token ids; may be empty.
  ///   - index: that of the sequence among those of its seed.
  /// - Throws: ``GenerationError``, ``TemperatureError``.
  func sequence(prompt: [Int32], options: GenerationOptions, index: Int) throws -> BatchSequence

  /// Reads a piece of a sequence's prompt.
  ///
  /// Pieces end at multiples of ``pieceSize``, so they do not depend on `positions` or on other sequences.
  ///
  /// - Returns: the number of positions read.
  func read(_ sequence: BatchSequence) -> Int

  /// Samples the next chunk or token of each sequence.
  ///
  /// A chunk that needs many samples takes several steps, of at most ``GenerationOptions/candidates`` samples each: see
  /// ``BatchSequence/maySearch``.
  ///
  /// - Parameter sequences: whose prompts are read, and which have not ended.
  /// - Returns: the new tokens of each, nil if its chunk needs further steps, or the error with which it ends:
  ///   ``GenerationError``, ``TemperatureError``.
  func step(_ sequences: [BatchSequence]) -> [Result<GeneratedChunk?, any Error>]
}

extension BatchModel {
  /// The maximum number of positions of a prompt that are read at once.
  package static var pieceSize: Int { 64 }

  /// The next piece of a prompt: the ids, and the range of its positions.
  func nextPiece(of sequence: BatchSequence) -> (ids: [Int32], positions: Range<Int>) {
    let first = sequence.context.length
    let ids = Array(sequence.unread.prefix(Self.pieceSize * chunkSize))
    sequence.unread.removeFirst(ids.count)
    return (ids, first..<first + ids.count / chunkSize)
  }
}

extension BatchSequence {
  /// Appends the tokens of a step.
  func append(_ tokens: ArraySlice<Int32>, ends: [Int]) -> GeneratedChunk {
    generated.append(tokens, sequence: 0, endTokens: ends, maximum: options.maximumTokens)
  }
}

extension TransformerShape {
  /// The keys and values of a position in all layers, in bytes.
  func cacheBytes(_ dtype: DType) -> Int { layers * 2 * keyValueHeads * headSize * dtype.size }
}
