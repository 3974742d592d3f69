import Torch

/// A layer of the Llama Transformer: h = x + attention(norm(x)), then h + SwiGLU(norm(h)).
final class TransformerLayer: Module {
  @Submodule("input_layernorm") var attentionNorm: RMSNorm
  @Submodule("self_attn") var attention: Attention
  @Submodule("post_attention_layernorm") var mlpNorm: RMSNorm
  @Submodule("mlp") var mlp: GatedMLP

  init(_ shape: TransformerShape, generator: Generator) {
    let (h, epsilon) = (shape.hiddenSize, shape.normEpsilon)
    attentionNorm = RMSNorm(h, epsilon: epsilon, device: generator.device)
    attention = Attention(shape, generator: generator)
    mlpNorm = RMSNorm(h, epsilon: epsilon, device: generator.device)
    mlp = GatedMLP(
      hiddenSize: h, intermediateSize: shape.intermediateSize, activation: shape.activation, bias: shape.hasMLPBias,
      deviation: nil, generator: generator)
  }

  /// - Parameters:
  ///   - x: [batch, length, h].
  ///   - angles: the rotary angles of these positions.
  ///   - first: the first position that each position sees, [batch, length]; nil if all see the beginning.
  ///   - cache: the keys and values of earlier positions; those of the new positions are appended.
  /// - Returns: [batch, length, h].
  func callAsFunction(
    _ x: Tensor, angles: (cosine: Tensor, sine: Tensor), from first: Tensor?, cache: (any AttentionCache)?
  ) -> Tensor {
    if let next = fusedDecode(x, angles: angles, cache: cache) { return next }
    let h = attention(attentionNorm(x), angles: angles, from: first, cache: cache, plus: x)
    // A recomputed layer runs both without and with gradients, and both runs must return the same numbers.
    return rowwise(h, fusing: .neighbors) { h in h + mlp(mlpNorm(h)) }
  }

  /// The same for the next position of a few sequences, in one kernel; nil if that is not supported.
  private func fusedDecode(
    _ x: Tensor, angles: (cosine: Tensor, sine: Tensor), cache: (any AttentionCache)?
  ) -> Tensor? {
    guard let cache = cache as? KeyValueCache, cache.length > 0, let layer = fusedDecodeLayer(for: x) else {
      return nil
    }
    return KeyValueCache.append(to: [cache], like: attention.noKeys(sequences: x.shape[0], like: x)) {
      layer(x, caches: $0, angles: angles)
    }
  }

  /// The kernel of this layer; nil where it is not supported.
  func fusedDecodeLayer(for x: Tensor, anyRows: Bool = false) -> FusedDecodeLayer? {
    FusedDecodeLayer(
      for: x, attentionNorm: attentionNorm, query: attention.query, key: attention.key, value: attention.value,
      output: attention.output, mlpNorm: mlpNorm, gate: mlp.gate, up: mlp.up, down: mlp.down,
      activation: mlp.activation, anyRows: anyRows)
  }
}
