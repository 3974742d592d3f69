import Torch

/// Causal self-attention with rotary positions; key and value heads may be shared by several query heads.
final class Attention: Module {
  @Submodule("q_proj") var query: Linear
  @Submodule("k_proj") var key: Linear
  @Submodule("v_proj") var value: Linear
  @Submodule("o_proj") var output: Linear
  let headSize: Int

  init(_ shape: TransformerShape, generator: Generator) {
    headSize = shape.headSize
    let h = shape.hiddenSize
    func projection(_ inputs: Int, _ outputs: Int) -> Linear {
      Linear(inputs, outputs, bias: shape.hasAttentionBias, generator: generator)
    }
    query = projection(h, shape.attentionHeads * headSize)
    key = projection(h, shape.keyValueHeads * headSize)
    value = projection(h, shape.keyValueHeads * headSize)
    output = projection(shape.attentionHeads * headSize, h)
  }

  /// The keys of no position, [sequences, key heads, 0, size], for a cache that has none yet.
  func noKeys(sequences: Int, like x: Tensor) -> Tensor {
    Tensor.empty([sequences, key.weight.shape[0] / headSize, 0, headSize], dtype: x.dtype, device: x.device)
  }

  /// - Parameters:
  ///   - x: [batch, length, h].
  ///   - angles: the rotary angles of these positions.
  ///   - first: the first position that each position sees, [batch, length]; nil if all see the beginning.
  ///   - cache: the keys and values of earlier positions; those of the new positions are appended.
  ///   - residual: added to the result, [batch, length, h].
  func callAsFunction(
    _ x: Tensor, angles: (cosine: Tensor, sine: Tensor), from first: Tensor?, cache: (any AttentionCache)?,
    plus residual: Tensor
  ) -> Tensor {
    let (batch, length) = (x.shape[0], x.shape[1])
    func heads(_ tensor: Tensor) -> Tensor { tensor.reshaped(batch, length, -1, headSize) }

    let q = rotary(heads(query(x)), cosine: angles.cosine, sine: angles.sine).transposed(1, 2)
    let k = rotary(heads(key(x)), cosine: angles.cosine, sine: angles.sine).transposed(1, 2)
    let v = heads(value(x)).transposed(1, 2)  // [batch, heads, length, size]
    let mixed =
      cache?.attend(q, keys: k, values: v, from: first)
      ?? attention(query: q, key: k, value: v, causal: length > 1, from: first)
    return output(mixed.transposed(1, 2).reshaped(batch, length, -1), plus: residual)
  }
}
