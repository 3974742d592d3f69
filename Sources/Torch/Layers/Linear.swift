/// y = x·weightᵀ + bias.
///
/// x: […, inputs] → […, outputs].
public final class Linear: Module {
  /// [outputs, inputs].
  @Parameter("weight") public var weight: Tensor
  /// [outputs].
  @Parameter("bias") public var bias: Tensor?

  /// Weights are normal with the given standard deviation, by default 1/√inputs, which preserves the variance of the
  /// input; biases are zero.
  public init(_ inputs: Int, _ outputs: Int, bias: Bool = true, deviation: Double? = nil, generator: Generator) {
    weight = generator.normal([outputs, inputs], deviation: deviation ?? 1 / Double(inputs).squareRoot())
    self.bias = bias ? Tensor.zeros([outputs], device: generator.device) : nil
    setTrainable(true)
  }

  /// […, inputs] → […, outputs].
  ///
  /// - Parameter residual: added to the result, in its shape.
  public func callAsFunction(_ x: Tensor, plus residual: Tensor? = nil) -> Tensor {
    linear(x, weight: weight, bias: bias, plus: residual)
  }

  /// […, inputs] → […, outputs].
  public func callAsFunction(_ x: Rows) -> Rows { linear(x, weight: weight, bias: bias) }
}
