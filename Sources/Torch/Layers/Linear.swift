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

  /// - Parameter residual: added to the result, in its shape.
  public func callAsFunction(_ x: Tensor, plus residual: Tensor? = nil) -> Tensor {
    linear(x, weight: weight, bias: bias, plus: residual)
  }

  /// silu(x·weightᵀ + bias), where the bias is added in the pass of the activation.
  public func silu(_ x: Tensor) -> Tensor {
    guard let bias else { return Torch.silu(self(x)) }
    return Torch.silu(linear(x, weight: weight), plus: bias)
  }

  /// silu(gate)·up, where x·weightᵀ + bias = [gate, up] along the last dimension: […, outputs / 2].
  ///
  /// - Precondition: it has a bias.
  public func swiGLU(_ x: Tensor) -> Tensor {
    guard let bias else { preconditionFailure("gates without a bias") }
    return Torch.swiGLU(linear(x, weight: weight), plus: bias)
  }
}
