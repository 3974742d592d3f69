import Torch

/// One layer of the backbone, normalising before each part: x + attention(norm(x)), then x + SwiGLU(norm(x)).
final class TransformerLayer: Module {
  @Submodule("input_layernorm") var attentionNorm: RMSNorm
  @Submodule("self_attn") var attention: Attention
  @Submodule("post_attention_layernorm") var mlpNorm: RMSNorm
  @Submodule("mlp") var mlp: GatedMLP

  init(_ configuration: LanguageModelConfiguration, generator: Generator) {
    let (h, epsilon) = (configuration.hiddenSize, configuration.normEpsilon)
    attentionNorm = RMSNorm(h, epsilon: epsilon, device: generator.device)
    attention = Attention(configuration, generator: generator)
    mlpNorm = RMSNorm(h, epsilon: epsilon, device: generator.device)
    mlp = GatedMLP(
      hiddenSize: h, intermediateSize: configuration.intermediateSize, activation: configuration.activation,
      bias: configuration.hasMLPBias, deviation: nil, generator: generator)
  }

  func callAsFunction(_ x: Tensor, angles: (cosine: Tensor, sine: Tensor), cache: KeyValueCache?) -> Tensor {
    let x = x + attention(attentionNorm(x), angles: angles, cache: cache)
    return x + mlp(mlpNorm(x))
  }
}
