import Torch

/// Sampled chunks whose tokens are computed on demand. The k-th token of a chunk has the place `chunk · K + k`.
protocol UndecodedChunks {
  /// The number of chunks.
  var count: Int { get }
  /// K.
  var chunkSize: Int { get }
  /// The number of tokens that are computed in the time of one.
  var freeTokens: Int { get }

  /// The tokens at some places; ``SampledChunks/notFinite`` where the model computed a number that is not finite.
  mutating func tokens(at places: [Int]) -> [Int32]

  /// Those of some places whose token is the given one.
  ///
  /// - Throws: ``GenerationError/notFinite``.
  mutating func places(_ places: [Int], withToken token: Int32) throws(GenerationError) -> [Int]

  /// The latent of a chunk, [1, l]; nil if it has none.
  func latent(of chunk: Int) -> Tensor?

  /// The given chunks.
  func selecting(_ chunks: [Int]) -> Self

  /// These chunks, then others of the same model.
  func joined(with others: [Self]) -> Self
}

extension UndecodedChunks {
  mutating func places(_ places: [Int], withToken token: Int32) throws(GenerationError) -> [Int] {
    let tokens = tokens(at: places)
    if tokens.contains(SampledChunks.notFinite) { throw .notFinite }
    return zip(places, tokens).filter { $1 == token }.map(\.0)
  }
}
