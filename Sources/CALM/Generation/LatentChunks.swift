import Torch

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

extension Tensor {
  /// The given rows.
  fileprivate func gathered(_ rows: [Int]) -> Tensor { gathered(0, Tensor(rows.map(Int64.init), device: device)) }
}
