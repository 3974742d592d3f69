/// y = x·weightᵀ + bias.
///
/// x: […, inputs] → […, outputs].
public final class Linear: Module {
  /// [outputs, inputs].
  @Parameter("weight") public var weight: Tensor
  /// [outputs].
  @Parameter("bias") public var bias: Tensor?

  /// Weights normal with the given deviation, 1/√inputs unless told otherwise, which keeps the size of what goes
  /// through; biases zero.
  public init(_ inputs: Int, _ outputs: Int, bias: Bool = true, deviation: Double? = nil, generator: Generator) {
    weight = generator.normal([outputs, inputs], deviation: deviation ?? 1 / Double(inputs).squareRoot())
    self.bias = bias ? Tensor.zeros([outputs], device: generator.device) : nil
    setTrainable(true)
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    linear(x, weight: weight, bias: bias)
  }
}
