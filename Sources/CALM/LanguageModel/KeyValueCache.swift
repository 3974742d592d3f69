import Torch

/// The keys and values of the positions seen so far, for one attention layer.
///
/// Room is made ahead and doubled when it is full, so a decoding step copies only its own position.
final class KeyValueCache {
  private(set) var length = 0
  private var keys: Tensor?
  private var values: Tensor?

  /// Appends positions and returns all so far. Tensors are [batch, heads, length, size].
  func append(keys newKeys: Tensor, values newValues: Tensor) -> (keys: Tensor, values: Tensor) {
    let added = newKeys.shape[2]
    let keys = room(in: self.keys, for: length + added, like: newKeys)
    let values = room(in: self.values, for: length + added, like: newValues)
    keys.narrowed(2, length..<length + added).copy(from: newKeys)
    values.narrowed(2, length..<length + added).copy(from: newValues)
    (self.keys, self.values) = (keys, values)
    length += added
    return (keys.narrowed(2, 0..<length), values.narrowed(2, 0..<length))
  }

  private func room(in tensor: Tensor?, for positions: Int, like example: Tensor) -> Tensor {
    if let tensor, tensor.shape[2] >= positions { return tensor }
    var shape = example.shape
    shape[2] = max(64, positions, 2 * length)
    let larger = Tensor.empty(shape, dtype: example.dtype, device: example.device)
    if let tensor { larger.narrowed(2, 0..<length).copy(from: tensor.narrowed(2, 0..<length)) }
    return larger
  }
}
