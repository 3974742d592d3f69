import Torch

/// The training loss of an autoencoder and its terms, each a float32 scalar.
public struct AutoencoderLoss {
  /// The training objective: K · cross-entropy + w · divergence.
  public let total: Tensor
  /// The mean over tokens, in nats.
  public let crossEntropy: Tensor
  /// Σ over dimensions of max(KL, c), averaged over chunks, in nats; 0 for a deterministic autoencoder.
  public let divergence: Tensor
}

/// The random numbers for one evaluation of the autoencoder's loss.
public struct AutoencoderNoise {
  /// 1 where an input token is kept, 0 where it becomes id 0; int64 in the shape of the ids. Nil keeps all.
  public var keptTokens: Tensor?
  /// ε of z = mean + ε·σ, [chunks, l]. Nil takes the mean.
  public var latentNoise: Tensor?
  /// 1 where a latent entry is kept, else 0, [chunks, l]; kept entries are divided by 1 − p. Nil keeps all.
  public var keptLatent: Tensor?

  /// Creates a set of random numbers.
  public init(keptTokens: Tensor? = nil, latentNoise: Tensor? = nil, keptLatent: Tensor? = nil) {
    (self.keptTokens, self.latentNoise, self.keptLatent) = (keptTokens, latentNoise, keptLatent)
  }

  /// Generates the random numbers for a training step on `chunks` chunks.
  public init(chunks: Int, configuration: AutoencoderConfiguration, generator: Generator) {
    if configuration.tokenMasking > 0 {
      keptTokens = generator.bernoulli(
        [chunks, configuration.chunkSize], probability: 1 - configuration.tokenMasking, dtype: .int64)
    }
    if configuration.isVariational { latentNoise = generator.normal([chunks, configuration.latentSize]) }
    if configuration.latentDropout > 0 {
      keptLatent = generator.bernoulli(
        [chunks, configuration.latentSize], probability: 1 - configuration.latentDropout)
    }
  }
}

extension Autoencoder {
  /// The training loss.
  ///
  /// - Parameters:
  ///   - ids: [chunks, K] or any shape with as many elements, int64. They are both input and target.
  ///   - noise: the random numbers of the step.
  public func loss(_ ids: Tensor, noise: AutoencoderNoise) -> AutoencoderLoss {
    let ids = ids.reshaped(-1, configuration.chunkSize)
    let latent = encode(noise.keptTokens.map { ids * $0.reshaped(ids.shape) } ?? ids)

    var z = latent.mean
    if let epsilon = noise.latentNoise, let logDeviation = latent.logDeviation { z = z + epsilon * logDeviation.exp() }
    if let kept = noise.keptLatent { z = z * kept / (1 - configuration.latentDropout) }

    let crossEntropy = linearCrossEntropy(
      decoder(z), weight: encoder.embedding.weight, targets: ids.reshaped(-1))
    let reconstruction = crossEntropy * Double(configuration.chunkSize)
    guard configuration.isVariational else {
      return AutoencoderLoss(total: reconstruction, crossEntropy: crossEntropy, divergence: Tensor(0))
    }
    let divergence = latent.divergence().clamped(minimum: configuration.klClamp).sum(-1).mean()
    return AutoencoderLoss(
      total: reconstruction + divergence * configuration.klWeight, crossEntropy: crossEntropy, divergence: divergence)
  }
}
