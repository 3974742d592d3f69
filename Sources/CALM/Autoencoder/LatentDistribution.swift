import Torch

/// The output of the encoder for each chunk: a diagonal normal distribution, or a point from a deterministic
/// autoencoder.
public struct LatentDistribution {
  /// [chunks, l], float32.
  public let mean: Tensor
  /// log σ, [chunks, l], float32; nil for a point.
  public let logDeviation: Tensor?

  /// A distribution with the given parameters.
  public init(mean: Tensor, logDeviation: Tensor?) {
    (self.mean, self.logDeviation) = (mean, logDeviation)
  }

  /// Samples mean + ε·σ with standard normal ε.
  ///
  /// - Returns: [count, chunks, l], float32; copies of the mean for a point.
  public func samples(_ count: Int, generator: Generator) -> Tensor {
    let shape = [count] + mean.shape
    guard let logDeviation else { return mean.reshaped([1] + mean.shape).expanded(count, -1, -1).contiguous() }
    return mean + generator.normal(shape, along: 1) * logDeviation.exp()
  }

  /// ½(mean² + σ² − 1 − 2 log σ) of each dimension, [chunks, l]: the divergence from the standard normal, in nats.
  public func divergence() -> Tensor {
    guard let logDeviation else { return Tensor.zeros(mean.shape, device: mean.device) }
    return (mean.squared() + (logDeviation * 2).exp() - 1 - logDeviation * 2) * 0.5
  }
}
