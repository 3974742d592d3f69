import Torch

// The next position of several sequences of different lengths: a step of continuous batching. The numbers of a sequence
// do not depend on the other sequences: see RowBlocks.

extension Backbone {
  /// Reads one position of each sequence.
  ///
  /// - Parameters:
  ///   - x: a block, [rows, h]: the sequences and the block's padding, see ``RowBlocks``.
  ///   - contexts: the earlier positions of each sequence, at least one, to which this one is appended.
  /// - Returns: hidden states, [rows, h].
  package func step(_ x: Tensor, contexts: [Context]) -> Tensor {
    precondition(x.shape[0] <= RowBlocks.maximum && x.shape[0] % 4 == 0, "a block of \(x.shape[0]) rows")
    let places = contexts.map(\.length) + Array(repeating: 0, count: x.shape[0] - contexts.count)
    let all = angles(from: 0, count: (places.max() ?? 0) + 1, device: x.device)
    let own = Tensor(places.map(Int64.init), device: x.device)
    let angles = (cosine: all.cosine.gathered(0, own), sine: all.sine.gathered(0, own))
    var x = x
    for (index, layer) in layers.enumerated() {
      x = layer.step(x, angles: angles, caches: contexts.map { $0.keyValueCache(index) })
    }
    return norm(x)
  }
}

extension TransformerLayer {
  /// - Parameters:
  ///   - x: [rows, h]; rows without a cache are padding.
  ///   - angles: the rotary angles of each row, [rows, size / 2].
  /// - Returns: [rows, h].
  fileprivate func step(
    _ x: Tensor, angles: (cosine: Tensor, sine: Tensor), caches: [KeyValueCache]
  ) -> Tensor {
    if let layer = fusedDecodeLayer(for: x) {
      return KeyValueCache.append(to: caches) { rooms in
        layer(x, caches: rooms + padding(like: rooms[0], count: x.shape[0] - rooms.count), angles: angles)
      }
    }
    let h = attention.step(attentionNorm(x), angles: angles, caches: caches, plus: x)
    return rowwise(h, fusing: .neighbors) { h in h + mlp(mlpNorm(h)) }
  }

  /// Empty caches of padding rows. All write their keys and values into the same place, and none is read later.
  private func padding(like room: FusedDecodeLayer.Cache, count: Int) -> [FusedDecodeLayer.Cache] {
    if count == 0 { return [] }
    var shape = room.keys.shape
    (shape[0], shape[2]) = (1, 1)
    func empty() -> Tensor { .empty(shape, dtype: room.keys.dtype, device: room.keys.device) }
    return Array(repeating: .init(keys: empty(), values: empty(), length: 0), count: count)
  }
}

extension Attention {
  /// The same as `callAsFunction` for the next position of each sequence, [rows, h].
  fileprivate func step(
    _ x: Tensor, angles: (cosine: Tensor, sine: Tensor), caches: [KeyValueCache], plus residual: Tensor
  ) -> Tensor {
    let rows = x.shape[0]
    // The rows take the place of positions, which have angles of their own.
    func heads(_ tensor: Tensor) -> Tensor { tensor.reshaped(1, rows, -1, headSize) }
    let q = rotary(heads(query(x)), cosine: angles.cosine, sine: angles.sine).transposed(1, 2)
    let k = rotary(heads(key(x)), cosine: angles.cosine, sine: angles.sine).transposed(1, 2)
    let v = heads(value(x)).transposed(1, 2)  // [1, heads, rows, size]
    let mixed = caches.enumerated().map { row, cache in
      func own(_ tensor: Tensor) -> Tensor { tensor.narrowed(2, row..<row + 1).contiguous() }
      return cache.attend(own(q), keys: own(k), values: own(v), from: nil).reshaped(1, -1)
    }
    let padding = Array(repeating: mixed[0], count: rows - mixed.count)
    return output(.concatenated(mixed + padding), plus: residual)
  }
}
