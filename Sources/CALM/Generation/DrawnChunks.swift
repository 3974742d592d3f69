import Torch

/// Chunks drawn from the head and decoded no further than asked for.
///
/// Once the autoencoder's decoder has expanded a latent into K rows, each row becomes a token without the others. Its
/// product with the vocabulary is by far the dearest part, so it waits until somebody wants that token.
struct DrawnChunks {
  /// The number of chunks.
  let count: Int
  private let latents: Tensor  // [count, l]
  private let expanded: Tensor  // [count·K, h]
  private let autoencoder: Autoencoder
  private var chunkSize: Int { autoencoder.configuration.chunkSize }

  /// - Parameter latents: [chunks, l].
  init(latents: Tensor, autoencoder: Autoencoder) {
    self.init(latents: latents, expanded: autoencoder.expanded(latents), autoencoder: autoencoder)
  }

  /// The chunks of several draws, in their order; at least one draw.
  init(joining draws: [DrawnChunks]) {
    self.init(
      latents: Tensor.concatenated(draws.map(\.latents)), expanded: Tensor.concatenated(draws.map(\.expanded)),
      autoencoder: draws[0].autoencoder)
  }

  private init(latents: Tensor, expanded: Tensor, autoencoder: Autoencoder) {
    (self.latents, self.expanded, self.autoencoder) = (latents, expanded, autoencoder)
    count = latents.shape[0]
  }

  /// What a chunk is decoded from, [1, l].
  func latent(of chunk: Int) -> Tensor { latents.narrowed(0, chunk..<chunk + 1) }

  /// One token of each of the places named.
  func tokens(at places: [(chunk: Int, position: Int)]) -> [Int32] {
    if places.isEmpty { return [] }
    let rows = gathered(places.map { $0.chunk * chunkSize + $0.position })
    return autoencoder.tokens(ofExpanded: rows).elements(as: Int32.self)
  }

  /// The tokens of chunks from a position on.
  func tokens(of chunks: [Int], from start: Int) -> [[Int32]] {
    let length = chunkSize - start
    let tokens = tokens(at: chunks.flatMap { chunk in (start..<chunkSize).map { (chunk, $0) } })
    return chunks.indices.map { Array(tokens[$0 * length..<($0 + 1) * length]) }
  }

  /// The chunks that begin with the given tokens, in ascending order.
  func chunks(beginningWith beginning: [Int32]) -> [Int] {
    var left = Array(0..<count)
    for (position, token) in beginning.enumerated() where !left.isEmpty {
      let rows = gathered(left.map { $0 * chunkSize + position })
      left = autoencoder.rows(ofExpanded: rows, mostLikely: token).map { left[$0] }
    }
    return left
  }

  /// Only the chunks named.
  func selecting(_ chunks: [Int]) -> DrawnChunks {
    let rows = gathered(chunks.flatMap { $0 * chunkSize..<($0 + 1) * chunkSize })
    let own = latents.gathered(0, Tensor(chunks.map(Int64.init), device: latents.device))
    return DrawnChunks(latents: own, expanded: rows, autoencoder: autoencoder)
  }

  private func gathered(_ rows: [Int]) -> Tensor {
    expanded.gathered(0, Tensor(rows.map(Int64.init), device: expanded.device))
  }
}
