import CALMCorpus
import Torch

/// The quality of an autoencoder's reconstruction of held-out text.
public struct AutoencoderEvaluation: Codable, Sendable {
  /// The accuracy at one level of noise.
  public struct NoiseLevel: Codable, Sendable {
    /// The standard deviation of the normal noise added to the latent.
    public let noise: Double
    /// The fraction of tokens that are reconstructed.
    public let accuracy: Double
  }

  /// The accuracies, in the order of the given noise levels.
  public let accuracy: [NoiseLevel]
  /// The Kullback–Leibler divergence from the standard normal in nats, summed over dimensions and averaged over chunks.
  public let divergence: Double
  /// The number of tokens, without the padding of the last sequence.
  public let tokens: Int
}

extension Autoencoder {
  /// Reconstructs sequences from the mean latent plus noise of each given level.
  ///
  /// - Parameters:
  ///   - text: packed with this autoencoder's chunk size.
  ///   - sequences: the number of sequences, from the start; nil for all.
  ///   - noise: the standard deviations of the noise.
  ///   - seed: the seed of the noise.
  ///   - shard: the part of this process; all processes return the results of the whole evaluation.
  /// - Throws: errors of reading the text.
  public func evaluate(
    on text: PackedSequences, sequences: Int? = nil, noise: [Double], seed: UInt64, shard: EvaluationShard = .whole
  ) throws -> AutoencoderEvaluation {
    let device = encoder.embedding.weight.device
    var (right, tokens, divergence) = ([Double](repeating: 0, count: noise.count), 0, 0.0)
    try shard.forEachSequence(of: text, limit: sequences, chunks: 1, seed: seed) { sequence in
      let generator = Generator(seed: sequence.seed, device: device)
      withoutGradients {
        let ids = Tensor(sequence.ids.map(Int64.init), device: device)
        let latent = encode(ids)
        for (level, deviation) in noise.enumerated() {
          let z = deviation == 0 ? latent.mean : latent.mean + generator.normal(latent.mean.shape, deviation: deviation)
          right[level] += decode(z).reshaped(-1).equals(ids).to(.float32).sum().item()
        }
        divergence += latent.divergence().sum().item()
      }
      tokens += sequence.ids.count
    }
    let sums = try shard.sum(right + [divergence, Double(tokens)])
    let total = sums[noise.count + 1]
    return AutoencoderEvaluation(
      accuracy: zip(noise, sums).map { .init(noise: $0, accuracy: $1 / total) },
      divergence: sums[noise.count] / (total / Double(text.chunkSize)), tokens: Int(total))
  }
}
