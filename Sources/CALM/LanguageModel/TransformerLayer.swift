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

  func callAsFunction(_ x: Tensor, angles: (cosine: Tensor, sine: Tensor), cache: (any AttentionCache)?) -> Tensor {
    let x = attention(attentionNorm(x), angles: angles, cache: cache, plus: x)
    return mlp(mlpNorm(x), plus: x)
  }
}
