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
  func tokens(at places: [Int]) -> [Int32]

  /// Those of some places whose token is the given one.
  ///
  /// - Throws: ``GenerationError/notFinite``.
  func places(_ places: [Int], withToken token: Int32) throws(GenerationError) -> [Int]

  /// The latent of a chunk, [1, l]; nil if it has none.
  func latent(of chunk: Int) -> Tensor?

  /// The given chunks.
  func selecting(_ chunks: [Int]) -> Self

  /// These chunks, then others of the same model.
  func joined(with others: [Self]) -> Self
}

/// Latents, which the autoencoder's decoder expands into K rows. They decode to tokens independently. The product of a
/// row with the vocabulary is by far the most expensive part, so it is deferred.
struct LatentChunks: UndecodedChunks {
  private let values: Tensor  // [count, l]
  private let expanded: Tensor  // [count·K, h]
  private let decoder: TokenDecoder

  /// - Parameter latents: [count, l].
  /// - Throws: ``GenerationError/notFinite``.
  init(_ latents: Tensor, decoder: TokenDecoder) throws(GenerationError) {
    let expanded = decoder.expanded(latents)
    // The argmax of NaNs is some token, so they must be detected here.
    guard decoder.hasFiniteWeights, withoutGradients({ expanded.allFinite() }) else { throw .notFinite }
    self.init(values: latents, expanded: expanded, decoder: decoder)
  }

  private init(values: Tensor, expanded: Tensor, decoder: TokenDecoder) {
    (self.values, self.expanded, self.decoder) = (values, expanded, decoder)
  }

  var count: Int { values.shape[0] }
  var chunkSize: Int { decoder.chunkSize }
  var freeTokens: Int { decoder.freeRows }

  func tokens(at places: [Int]) -> [Int32] {
    decoder.tokens(ofExpanded: expanded.gathered(places)).elements(as: Int32.self)
  }

  func places(_ places: [Int], withToken token: Int32) -> [Int] {
    decoder.rows(ofExpanded: expanded.gathered(places), mostLikely: token).map { places[$0] }
  }

  func latent(of chunk: Int) -> Tensor? { values.narrowed(0, chunk..<chunk + 1) }

  func selecting(_ chunks: [Int]) -> Self {
    let places = chunks.flatMap { $0 * chunkSize..<($0 + 1) * chunkSize }
    return Self(values: values.gathered(chunks), expanded: expanded.gathered(places), decoder: decoder)
  }

  func joined(with others: [Self]) -> Self {
    Self(
      values: .concatenated([values] + others.map(\.values)),
      expanded: .concatenated([expanded] + others.map(\.expanded)), decoder: decoder)
  }
}

/// Candidates of a one-step head. Their beliefs are computed at once, and each token is computed from the belief of its
/// chunk.
struct OneStepChunks: UndecodedChunks {
  private let beliefs: FusedOneStepHead.Beliefs
  private let head: FusedOneStepHead

  /// - Parameters:
  ///   - noise: [count, K·d].
  ///   - positions: the position of each chunk.
  init(_ noise: Tensor, positions: [Int], head: FusedOneStepHead) {
    self.init(beliefs: head.beliefs(noise, positions: positions), head: head)
  }

  private init(beliefs: FusedOneStepHead.Beliefs, head: FusedOneStepHead) {
    (self.beliefs, self.head) = (beliefs, head)
  }

  var count: Int { beliefs.positions.count }
  var chunkSize: Int { head.chunkSize }
  var freeTokens: Int { 0 }

  func tokens(at places: [Int]) -> [Int32] { head.tokens(beliefs, at: places) }

  func places(_ places: [Int], withToken token: Int32) throws(GenerationError) -> [Int] {
    let tokens = tokens(at: places)
    if tokens.contains(SampledChunks.notFinite) { throw .notFinite }
    return zip(places, tokens).filter { $1 == token }.map(\.0)
  }

  func latent(of chunk: Int) -> Tensor? { nil }

  func selecting(_ chunks: [Int]) -> Self { Self(beliefs: beliefs.selecting(chunks), head: head) }

  func joined(with others: [Self]) -> Self {
    Self(beliefs: others.reduce(beliefs) { $0.joined(with: $1.beliefs) }, head: head)
  }
}

extension Tensor {
  /// The given rows.
  fileprivate func gathered(_ rows: [Int]) -> Tensor { gathered(0, Tensor(rows.map(Int64.init), device: device)) }
}
