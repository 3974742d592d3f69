import Torch

/// One layer of the backbone, normalising before each part: x + attention(norm(x)), then x + SwiGLU(norm(x)).
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
  ///   - angles: of these positions.
  ///   - first: the first position that each position sees, [batch, length]; nil where all see the beginning.
  ///   - cache: the positions before, to which these are added.
  func callAsFunction(
    _ x: Tensor, angles: (cosine: Tensor, sine: Tensor), from first: Tensor?, cache: (any AttentionCache)?
  ) -> Tensor {
    if let cache = cache as? KeyValueCache, let next = step(x, angles: angles, cache: cache) { return next }
    let x = attention(attentionNorm(x), angles: angles, from: first, cache: cache, plus: x)
    return mlp(mlpNorm(x), plus: x)
  }

  /// What ``callAsFunction(_:angles:from:cache:)`` gives for one position of a few sequences, in one fused call; nil where
  /// it does not serve.
  private func step(_ x: Tensor, angles: (cosine: Tensor, sine: Tensor), cache: KeyValueCache) -> Tensor? {
    let linears = [
      attention.query, attention.key, attention.value, attention.output, mlp.gate, mlp.up, mlp.down,
    ]
    guard cache.length > 0, TransformerStep.serves(x), mlp.activation == .silu,
      linears.allSatisfy({ $0.bias == nil && $0.weight.dtype == x.dtype })
    else { return nil }
    let step = TransformerStep(
      attentionNorm: attentionNorm.weight, query: linears[0].weight, key: linears[1].weight, value: linears[2].weight,
      output: linears[3].weight, mlpNorm: mlpNorm.weight, gate: linears[4].weight, up: linears[5].weight,
      down: linears[6].weight, epsilon: mlpNorm.epsilon)
    return cache.append { keys, values, length in
      step(x, keys: keys, values: values, length: length, angles: angles)
    }
  }
}
