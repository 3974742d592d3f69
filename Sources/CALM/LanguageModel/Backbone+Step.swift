import Torch

// The next position of several sequences of different lengths: a step of continuous batching.

extension Backbone {
  /// Reads one position of each sequence. Its numbers do not depend on the other sequences.
  ///
  /// - Parameters:
  ///   - x: [sequences, h].
  ///   - contexts: the earlier positions of each sequence, to which this one is appended.
  /// - Returns: hidden states, [sequences, h].
  package func step(_ x: Tensor, contexts: [Context]) -> Tensor {
    let places = contexts.map(\.length)
    let all = angles(from: 0, count: (places.max() ?? 0) + 1, device: x.device)
    let own = Tensor(places.map(Int64.init), device: x.device)
    let angles = (cosine: all.cosine.gathered(0, own), sine: all.sine.gathered(0, own))
    return keepingRowsApart {
      var x = x
      for (index, layer) in layers.enumerated() {
        x = layer.step(x, angles: angles, caches: contexts.map { $0.keyValueCache(index) })
      }
      return norm(x)
    }
  }
}

extension TransformerLayer {
  /// - Parameters:
  ///   - x: [sequences, h].
  ///   - angles: the rotary angles of each sequence, [sequences, size / 2].
  /// - Returns: [sequences, h].
  fileprivate func step(
    _ x: Tensor, angles: (cosine: Tensor, sine: Tensor), caches: [KeyValueCache]
  ) -> Tensor {
    if let layer = fusedDecodeLayer(for: x, anyRows: true) {
      return KeyValueCache.append(to: caches, like: attention.noKeys(sequences: 1, like: x)) {
        layer(x, caches: $0, angles: angles)
      }
    }
    let h = attention.step(attentionNorm(x), angles: angles, caches: caches, plus: x)
    return rowwise(h, fusing: .neighbors) { h in h + mlp(mlpNorm(h)) }
  }
}

extension Attention {
  /// The same as `callAsFunction` for the next position of each sequence, [sequences, h].
  fileprivate func step(
    _ x: Tensor, angles: (cosine: Tensor, sine: Tensor), caches: [KeyValueCache], plus residual: Tensor
  ) -> Tensor {
    // The sequences take the place of positions, which have angles of their own.
    func heads(_ tensor: Tensor) -> Tensor { tensor.reshaped(1, caches.count, -1, headSize) }
    let q = rotary(heads(query(x)), cosine: angles.cosine, sine: angles.sine).transposed(1, 2)
    let k = rotary(heads(key(x)), cosine: angles.cosine, sine: angles.sine).transposed(1, 2)
    let v = heads(value(x)).transposed(1, 2)  // [1, heads, sequences, size]
    let mixed = caches.enumerated().map { row, cache in
      func own(_ tensor: Tensor) -> Tensor { tensor.narrowed(2, row..<row + 1).contiguous() }
      return cache.attend(own(q), keys: own(k), values: own(v), from: nil).reshaped(1, -1)
    }
    return output(.concatenated(mixed), plus: residual)
  }
}
