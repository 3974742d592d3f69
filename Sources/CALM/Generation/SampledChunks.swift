import Torch

/// Chunks sampled from the head. Tokens that a head computes on demand are cached.
final class SampledChunks {
  /// The token where the model computed a number that is not finite.
  static let notFinite: Int32 = -1

  /// The number of chunks.
  let count: Int
  /// Nil if all chunks were sampled as tokens.
  private var undecoded: (any UndecodedChunks)?
  /// The decoded tokens, by place: see ``UndecodedChunks``.
  private var decoded: [Int32?]
  private let chunkSize: Int

  /// Chunks of which no token is decoded yet.
  convenience init(_ chunks: some UndecodedChunks) {
    self.init(
      count: chunks.count, undecoded: chunks, decoded: Array(repeating: nil, count: chunks.count * chunks.chunkSize),
      chunkSize: chunks.chunkSize)
  }

  /// - Parameter tokens: [chunks, K], int32.
  convenience init(tokens: Tensor) {
    self.init(
      count: tokens.shape[0], undecoded: nil, decoded: tokens.elements(as: Int32.self), chunkSize: tokens.shape[1])
  }

  /// Joins several batches of one model in their order; at least one batch.
  convenience init(joining batches: [SampledChunks]) {
    func joined(_ first: some UndecodedChunks) -> any UndecodedChunks {
      first.joined(with: batches.dropFirst().map { Self.of($0, as: type(of: first)) })
    }
    self.init(
      count: batches.reduce(0) { $0 + $1.count }, undecoded: batches[0].undecoded.map { joined($0) },
      decoded: batches.flatMap(\.decoded), chunkSize: batches[0].chunkSize)
  }

  private static func of<Chunks: UndecodedChunks>(_ batch: SampledChunks, as: Chunks.Type) -> Chunks {
    guard let chunks = batch.undecoded as? Chunks else { preconditionFailure("batches of different models") }
    return chunks
  }

  private init(count: Int, undecoded: (any UndecodedChunks)?, decoded: [Int32?], chunkSize: Int) {
    (self.count, self.undecoded, self.decoded, self.chunkSize) = (count, undecoded, decoded, chunkSize)
  }

  /// The latent of a chunk, [1, l]; nil if it was sampled as tokens.
  func latent(of chunk: Int) -> Tensor? { undecoded?.latent(of: chunk) }

  /// The token at each of the given places.
  func tokens(at places: [(chunk: Int, position: Int)]) -> [Int32] {
    let places = places.map { $0.chunk * chunkSize + $0.position }
    var new = places.filter { decoded[$0] == nil }
    if let free = undecoded?.freeTokens, !new.isEmpty {
      new += later(than: new, atMost: free - new.count)
      for (place, token) in zip(new, undecoded?.tokens(at: new) ?? []) { decoded[place] = token }
    }
    return places.map { decoded[$0]! }
  }

  /// Undecoded places at later positions of the same chunks, the nearest first.
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
  ///
  /// - Throws: ``GenerationError/notFinite``.
  func chunks(beginningWith beginning: [Int32]) throws(GenerationError) -> [Int] {
    var left = Array(0..<count)
    for (position, token) in beginning.enumerated() where !left.isEmpty {
      var places = left.map { $0 * chunkSize + position }
      places = try undecoded?.places(places, withToken: token) ?? places.filter { decoded[$0] == token }
      left = places.map { $0 / chunkSize }
    }
    return left
  }

  /// The given chunks.
  func selecting(_ chunks: [Int]) -> SampledChunks {
    SampledChunks(
      count: chunks.count, undecoded: undecoded.map { $0.selecting(chunks) },
      decoded: chunks.flatMap { decoded[$0 * chunkSize..<($0 + 1) * chunkSize] }, chunkSize: chunkSize)
  }
}
