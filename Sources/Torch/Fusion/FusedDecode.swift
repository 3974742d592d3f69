extension FusedDecodeLayer {
  /// The fused form of a layer for the next position of the rows `x`; nil where the kernel does not support the rows or
  /// the layer: it needs few rows, no gradients, SiLU, linear layers without biases and weights of the type of `x`.
  public init?(
    for x: Tensor, attentionNorm: RMSNorm, query: Linear, key: Linear, value: Linear, output: Linear, mlpNorm: RMSNorm,
    gate: Linear, up: Linear, down: Linear, activation: Activation
  ) {
    guard Self.supports(x), activation == .silu,
      [query, key, value, output, gate, up, down].allSatisfy({ $0.bias == nil && $0.weight.dtype == x.dtype })
    else { return nil }
    self.init(
      attentionNorm: attentionNorm.weight, query: query.weight, key: key.weight, value: value.weight,
      output: output.weight, mlpNorm: mlpNorm.weight, gate: gate.weight, up: up.weight, down: down.weight,
      epsilon: mlpNorm.epsilon)
  }
}
