import Torch

/// Causal self-attention with rotary positions; key and value heads may be shared by several query heads.
final class Attention: Module {
  @Submodule("q_proj") var query: Linear
  @Submodule("k_proj") var key: Linear
  @Submodule("v_proj") var value: Linear
  @Submodule("o_proj") var output: Linear
  private let headSize: Int

  init(_ configuration: LanguageModelConfiguration, generator: Generator) {
    headSize = configuration.headSize
    let h = configuration.hiddenSize
    func projection(_ inputs: Int, _ outputs: Int) -> Linear {
      Linear(inputs, outputs, bias: configuration.hasAttentionBias, generator: generator)
    }
    query = projection(h, configuration.attentionHeads * headSize)
    key = projection(h, configuration.keyValueHeads * headSize)
    value = projection(h, configuration.keyValueHeads * headSize)
    output = projection(configuration.attentionHeads * headSize, h)
  }

  /// - Parameters:
  ///   - x: [batch, length, h].
  ///   - angles: of these positions.
  ///   - cache: the positions before, to which these are added; with one, `length` is 1 or the cache is empty.
  func callAsFunction(_ x: Tensor, angles: (cosine: Tensor, sine: Tensor), cache: KeyValueCache?) -> Tensor {
    let (batch, length) = (x.shape[0], x.shape[1])
    func heads(_ tensor: Tensor) -> Tensor { tensor.reshaped(batch, length, -1, headSize) }

    let q = rotary(heads(query(x)), cosine: angles.cosine, sine: angles.sine).transposed(1, 2)
    var k = rotary(heads(key(x)), cosine: angles.cosine, sine: angles.sine).transposed(1, 2)
    var v = heads(value(x)).transposed(1, 2)  // [batch, heads, length, size]
    if let cache { (k, v) = cache.append(keys: k, values: v) }
    precondition(length == 1 || k.shape[2] == length, "several positions at once after cached ones")
    let mixed = attention(query: q, key: k, value: v, causal: length > 1)
    return output(mixed.transposed(1, 2).reshaped(batch, length, -1))
  }
}
