/// x / √(mean(x²) + ε) · weight over the last dimension (Zhang and Sennrich, 2019).
public final class RMSNorm: Module {
  /// [size].
  @Parameter("weight") public var weight: Tensor
  /// ε.
  public let epsilon: Double

  /// Initializes the weights to one.
  public init(_ size: Int, epsilon: Double = 1e-6, device: Device = .cpu) {
    self.epsilon = epsilon
    weight = Tensor.ones([size], device: device)
    setTrainable(true)
  }

  /// Normalizes `x`: […, size] → […, size].
  public func callAsFunction(_ x: Tensor) -> Tensor {
    rmsNorm(x, weight: weight, epsilon: epsilon)
  }

  /// Normalizes each row: […, size] → […, size].
  public func callAsFunction(_ x: Rows) -> Rows { rmsNorm(x, weight: weight, epsilon: epsilon) }
}

/// (x − mean) / √(variance + ε) · weight + bias over the last dimension (Ba et al., 2016).
public final class LayerNorm: Module {
  /// [size].
  @Parameter("weight") public var weight: Tensor
  /// [size].
  @Parameter("bias") public var bias: Tensor
  /// ε.
  public let epsilon: Double

  /// Initializes the weights to one and the biases to zero.
  public init(_ size: Int, epsilon: Double = 1e-6, device: Device = .cpu) {
    self.epsilon = epsilon
    weight = Tensor.ones([size], device: device)
    bias = Tensor.zeros([size], device: device)
    setTrainable(true)
  }

  /// Normalizes `x`: […, size] → […, size].
  public func callAsFunction(_ x: Tensor) -> Tensor {
    layerNorm(x, weight: weight, bias: bias, epsilon: epsilon)
  }

  /// Normalizes each row: […, size] → […, size].
  public func callAsFunction(_ x: Rows) -> Rows { layerNorm(x, weight: weight, bias: bias, epsilon: epsilon) }
}
