import Torch

/// Chunks sampled from the head, whose tokens are decoded on demand.
///
/// The autoencoder's decoder expands a latent into K rows, which decode to tokens independently. The product of a row
/// with the vocabulary is by far the most expensive part, so it is deferred until its token is requested, and the token
/// is then cached.
///
/// The chunks of a head that samples tokens are decoded from the start.
final class SampledChunks {
  /// Latents whose tokens are decoded on demand.
  private struct Latents {
    let values: Tensor  // [count, l]
    let expanded: Tensor  // [count·K, h]
    let decoder: TokenDecoder
  }

  /// The number of chunks.
  let count: Int
  /// Nil if all chunks were sampled as tokens.
  private let latents: Latents?
  /// The decoded tokens, by chunk and position.
  private var decoded: [Int32?]
  private let chunkSize: Int

  /// - Parameter latents: [chunks, l].
  /// - Throws: ``GenerationError/notFinite``.
  convenience init(latents: Tensor, decoder: TokenDecoder) throws(GenerationError) {
    let expanded = decoder.expanded(latents)
    // The argmax of NaNs is some token, so they must be detected here.
    guard decoder.hasFiniteWeights, withoutGradients({ expanded.isFinite().all() }) else { throw .notFinite }
    let count = latents.shape[0]
    self.init(
      count: count, latents: Latents(values: latents, expanded: expanded, decoder: decoder),
      decoded: Array(repeating: nil, count: count * decoder.chunkSize), chunkSize: decoder.chunkSize)
  }

  /// - Parameter tokens: [chunks, K], int32.
  convenience init(tokens: Tensor) {
    self.init(
      count: tokens.shape[0], latents: nil, decoded: tokens.elements(as: Int32.self), chunkSize: tokens.shape[1])
  }

  /// The chunks of several batches of one model, in their order; at least one batch.
  convenience init(joining batches: [SampledChunks]) {
    let latents = batches.compactMap(\.latents)
    self.init(
      count: batches.reduce(0) { $0 + $1.count },
      latents: latents.first.map { first in
        Latents(
          values: .concatenated(latents.map(\.values)), expanded: .concatenated(latents.map(\.expanded)),
          decoder: first.decoder)
      }, decoded: batches.flatMap(\.decoded), chunkSize: batches[0].chunkSize)
  }

  private init(count: Int, latents: Latents?, decoded: [Int32?], chunkSize: Int) {
    (self.count, self.latents, self.decoded, self.chunkSize) = (count, latents, decoded, chunkSize)
  }

  /// The latent of a chunk, [1, l]; nil if it was sampled as tokens.
  func latent(of chunk: Int) -> Tensor? { latents?.values.narrowed(0, chunk..<chunk + 1) }

  /// The token at each of the given places.
  func tokens(at places: [(chunk: Int, position: Int)]) -> [Int32] {
    let places = places.map { $0.chunk * chunkSize + $0.position }
    var new = places.filter { decoded[$0] == nil }
    if let latents, !new.isEmpty {
      new += later(than: new, atMost: latents.decoder.freeRows - new.count)
      let rows = gathered(new, of: latents.expanded)
      let tokens = latents.decoder.tokens(ofExpanded: rows).elements(as: Int32.self)
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
      let places = left.map { $0 * chunkSize + position }
      if let latents {
        let rows = gathered(places, of: latents.expanded)
        left = latents.decoder.rows(ofExpanded: rows, mostLikely: token).map { left[$0] }
      } else {
        left = zip(left, places).filter { decoded[$1] == token }.map(\.0)
      }
    }
    return left
  }

  /// The given chunks.
  func selecting(_ chunks: [Int]) -> SampledChunks {
    let places = chunks.flatMap { $0 * chunkSize..<($0 + 1) * chunkSize }
    return SampledChunks(
      count: chunks.count,
      latents: latents.map {
        Latents(
          values: gathered(chunks, of: $0.values), expanded: gathered(places, of: $0.expanded), decoder: $0.decoder)
      }, decoded: places.map { decoded[$0] }, chunkSize: chunkSize)
  }

  private func gathered(_ rows: [Int], of tensor: Tensor) -> Tensor {
    tensor.gathered(0, Tensor(rows.map(Int64.init), device: tensor.device))
  }
}
