import Torch

/// Chunks sampled from the head, whose tokens are decoded on demand.
///
/// The autoencoder's decoder expands a latent into K rows, which decode to tokens independently. The product of a row
/// with the vocabulary is by far the most expensive part, so it is deferred until its token is requested, and the token
/// is then cached.
final class SampledChunks {
  private let latents: Tensor  // [count, l]
  private let expanded: Tensor  // [count·K, h]
  /// The decoded tokens, by chunk and position.
  private var decoded: [Int32?]
  private let decoder: TokenDecoder
  private var chunkSize: Int { decoder.chunkSize }

  /// The number of chunks.
  var count: Int { latents.shape[0] }

  /// - Parameter latents: [chunks, l].
  /// - Throws: ``GenerationError/notFinite``.
  convenience init(latents: Tensor, decoder: TokenDecoder) throws(GenerationError) {
    let expanded = decoder.expanded(latents)
    // The argmax of NaNs is some token, so they must be detected here.
    guard decoder.hasFiniteWeights, withoutGradients({ expanded.isFinite().all() }) else { throw .notFinite }
    self.init(
      latents: latents, expanded: expanded,
      decoded: Array(repeating: nil, count: latents.shape[0] * decoder.chunkSize),
      decoder: decoder)
  }

  /// The chunks of several batches, in their order; at least one batch.
  convenience init(joining batches: [SampledChunks]) {
    self.init(
      latents: Tensor.concatenated(batches.map(\.latents)), expanded: Tensor.concatenated(batches.map(\.expanded)),
      decoded: batches.flatMap(\.decoded), decoder: batches[0].decoder)
  }

  private init(latents: Tensor, expanded: Tensor, decoded: [Int32?], decoder: TokenDecoder) {
    (self.latents, self.expanded, self.decoded, self.decoder) = (latents, expanded, decoded, decoder)
  }

  /// The latent of a chunk, [1, l].
  func latent(of chunk: Int) -> Tensor { latents.narrowed(0, chunk..<chunk + 1) }

  /// The token at each of the given places.
  func tokens(at places: [(chunk: Int, position: Int)]) -> [Int32] {
    let places = places.map { $0.chunk * chunkSize + $0.position }
    var new = places.filter { decoded[$0] == nil }
    if !new.isEmpty {
      new += later(than: new, atMost: decoder.freeRows - new.count)
      let tokens = decoder.tokens(ofExpanded: gathered(new)).elements(as: Int32.self)
      for (place, token) in zip(new, tokens) { decoded[place] = token }
    }
    return places.map { decoded[$0]! }
  }

  /// Undecoded places after others in the same chunks, the nearest first.
  private func later(than places: [Int], atMost count: Int) -> [Int] {
    var found: [Int] = []
    var nearest = places
    while found.count < count {
      nearest = nearest.map { $0 + 1 }.filter { $0 % chunkSize != 0 && decoded[$0] == nil }
      if nearest.isEmpty { break }
      found += nearest.filter { !places.contains($0) && !found.contains($0) }
    }
    return Array(found.prefix(max(0, count)))
  }

  /// The tokens of chunks, starting at a position.
  func tokens(of chunks: [Int], from start: Int) -> [[Int32]] {
    let length = chunkSize - start
    let tokens = tokens(at: chunks.flatMap { chunk in (start..<chunkSize).map { (chunk, $0) } })
    return chunks.indices.map { Array(tokens[$0 * length..<($0 + 1) * length]) }
  }

  /// The chunks that begin with the given tokens, ascending.
  func chunks(beginningWith beginning: [Int32]) -> [Int] {
    var left = Array(0..<count)
    for (position, token) in beginning.enumerated() where !left.isEmpty {
      let rows = gathered(left.map { $0 * chunkSize + position })
      left = decoder.rows(ofExpanded: rows, mostLikely: token).map { left[$0] }
    }
    return left
  }

  /// The given chunks.
  func selecting(_ chunks: [Int]) -> SampledChunks {
    let rows = gathered(chunks.flatMap { $0 * chunkSize..<($0 + 1) * chunkSize })
    let own = latents.gathered(0, Tensor(chunks.map(Int64.init), device: latents.device))
    return SampledChunks(
      latents: own, expanded: rows,
      decoded: chunks.flatMap { decoded[$0 * chunkSize..<($0 + 1) * chunkSize] }, decoder: decoder)
  }

  private func gathered(_ rows: [Int]) -> Tensor {
    expanded.gathered(0, Tensor(rows.map(Int64.init), device: expanded.device))
  }
}
