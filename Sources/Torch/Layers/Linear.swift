/// A linear layer, y = x·weightᵀ + bias: […, inputs] → […, outputs].
public final class Linear: Module {
  /// [outputs, inputs].
  @Parameter("weight") public var weight: Tensor
  /// [outputs].
  @Parameter("bias") public var bias: Tensor?

  /// Initializes the weights from a normal distribution with the given standard deviation, and the biases to zero.
  ///
  /// The default deviation is 1/√inputs, which preserves the variance of the input.
  public init(_ inputs: Int, _ outputs: Int, bias: Bool = true, deviation: Double? = nil, generator: Generator) {
    weight = generator.normal([outputs, inputs], deviation: deviation ?? 1 / Double(inputs).squareRoot())
    self.bias = bias ? Tensor.zeros([outputs], device: generator.device) : nil
    setTrainable(true)
  }

  /// […, inputs] → […, outputs].
  ///
  /// - Parameter residual: a tensor in the shape of the result, to which it is added.
  public func callAsFunction(_ x: Tensor, plus residual: Tensor? = nil) -> Tensor {
    linear(x, weight: weight, bias: bias, plus: residual)
  }

  /// […, inputs] → […, outputs].
  public func callAsFunction(_ x: Rows) -> Rows { linear(x, weight: weight, bias: bias) }
}
