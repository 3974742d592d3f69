import Torch

/// The cache of an attention layer for earlier positions.
protocol AttentionCache: AnyObject {
  /// The index of the next position.
  var length: Int { get }

  /// Appends the keys and values of the next positions, and computes the attention of their queries.
  ///
  /// - Parameters:
  ///   - query: [batch, heads, positions, size].
  ///   - keys: [batch, key heads, positions, size].
  ///   - values: in the same shape.
  ///   - first: the first position that each of these positions sees, [batch, positions]; nil if all see the beginning.
  /// - Returns: [batch, heads, positions, size].
  func attend(_ query: Tensor, keys: Tensor, values: Tensor, from first: Tensor?) -> Tensor
}

/// The keys and values of the positions seen so far, for one attention layer.
///
/// The capacity doubles when it is exhausted, up to the maximum, so a decoding step usually copies only its own position.
final class KeyValueCache: AttentionCache {
  private(set) var length = 0
  /// The maximum capacity.
  private let maximum: Int
  private var keyRoom: Tensor?
  private var valueRoom: Tensor?

  /// - Parameter maximum: the maximum number of positions.
  init(maximum: Int = .max) {
    self.maximum = maximum
  }

  /// The keys so far, [batch, key heads, length, size].
  var keys: Tensor? { keyRoom?.narrowed(2, 0..<length) }
  /// The values so far, in the same shape.
  var values: Tensor? { valueRoom?.narrowed(2, 0..<length) }

  func attend(_ query: Tensor, keys newKeys: Tensor, values newValues: Tensor, from first: Tensor?) -> Tensor {
    let (keys, values) = append(keys: newKeys, values: newValues)
    return attention(query: query, key: keys, value: values, causal: newKeys.shape[2] > 1, from: first)
  }

  /// Appends positions.
  ///
  /// - Returns: the keys and values so far.
  @discardableResult
  func append(keys newKeys: Tensor, values newValues: Tensor) -> (keys: Tensor, values: Tensor) {
    let added = newKeys.shape[2]
    let keys = room(in: keyRoom, for: length + added, like: newKeys)
    let values = room(in: valueRoom, for: length + added, like: newValues)
    keys.narrowed(2, length..<length + added).copy(from: newKeys)
    values.narrowed(2, length..<length + added).copy(from: newValues)
    (keyRoom, valueRoom) = (keys, values)
    length += added
    return (keys.narrowed(2, 0..<length), values.narrowed(2, 0..<length))
  }

  /// Appends one position to several caches, which `body` writes.
  ///
  /// - Parameters:
  ///   - example: keys of any position, [batch, key heads, positions, size].
  ///   - body: receives the buffers of each cache, [batch, key heads, capacity, size], and its length so far.
  static func append(
    to caches: [KeyValueCache], like example: Tensor, _ body: ([FusedDecodeLayer.Cache]) -> Tensor
  ) -> Tensor {
    let rooms = caches.map { $0.nextRoom(like: example) }
    defer { for cache in caches { cache.length += 1 } }
    return body(rooms)
  }

  private func nextRoom(like example: Tensor) -> FusedDecodeLayer.Cache {
    let keys = room(in: keyRoom, for: length + 1, like: example)
    let values = room(in: valueRoom, for: length + 1, like: example)
    (keyRoom, valueRoom) = (keys, values)
    return FusedDecodeLayer.Cache(keys: keys, values: values, length: length)
  }

  private func room(in tensor: Tensor?, for positions: Int, like example: Tensor) -> Tensor {
    if let tensor, tensor.shape[2] >= positions { return tensor }
    precondition(positions <= maximum, "\(positions) positions in a cache of at most \(maximum)")
    var shape = example.shape
    shape[2] = min(maximum, max(64, positions, 2 * length))
    let larger = Tensor.empty(shape, dtype: example.dtype, device: example.device)
    if let tensor { larger.narrowed(2, 0..<length).copy(from: tensor.narrowed(2, 0..<length)) }
    return larger
  }
}
