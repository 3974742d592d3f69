import CALMCorpus
import Torch

/// How well an autoencoder gives back held-out text.
public struct AutoencoderEvaluation: Codable, Sendable {
  /// The accuracy at one level of noise.
  public struct NoiseLevel: Codable, Sendable {
    /// The standard deviation of the normal noise added to the latent.
    public let noise: Double
    /// The share of tokens whose most likely reconstruction is the token.
    public let accuracy: Double
  }

  /// In the order asked for.
  public let accuracy: [NoiseLevel]
  /// The Kullback–Leibler divergence from the standard normal in nats, summed over dimensions, a mean over chunks.
  public let divergence: Double
  /// Tokens looked at, without the filling of the last block.
  public let tokens: Int
}

extension Autoencoder {
  /// Reconstructs blocks of text from the mean latent with noise of each given level on it.
  ///
  /// - Parameters:
  ///   - text: packed with this autoencoder's chunk size.
  ///   - blocks: how many, from the start; nil takes all.
  ///   - noise: standard deviations.
  ///   - seed: of the noise.
  ///   - share: this process's part, where several share the work; all get the whole figures.
  /// - Throws: what reading the blocks throws.
  public func evaluate(
    on text: PackedSequences, blocks: Int? = nil, noise: [Double], seed: UInt64, share: EvaluationShard = .whole
  ) throws -> AutoencoderEvaluation {
    let device = encoder.embedding.weight.device
    var (right, tokens, divergence) = ([Double](repeating: 0, count: noise.count), 0, 0.0)
    for index in share.blocks(of: min(blocks ?? text.count, text.count)) {
      let block = try text.block(index)
      let chunks = block.documents.prefix { $0 != PackedSequences.noDocument }.count
      if chunks == 0 { continue }
      let generator = Generator(seed: EvaluationShard.seed(seed, block: index), device: device)
      withoutGradients {
        let ids = Tensor(block.ids.prefix(chunks * text.chunkSize).map(Int64.init), device: device)
        let latent = encode(ids)
        for (level, deviation) in noise.enumerated() {
          let z = deviation == 0 ? latent.mean : latent.mean + generator.normal(latent.mean.shape, deviation: deviation)
          right[level] += decode(z).reshaped(-1).equals(ids).to(.float32).sum().item()
        }
        divergence += latent.divergence().sum().item()
      }
      tokens += chunks * text.chunkSize
    }
    let sums = try share.sum(right + [divergence, Double(tokens)])
    let total = sums[noise.count + 1]
    return AutoencoderEvaluation(
      accuracy: zip(noise, sums).map { .init(noise: $0, accuracy: $1 / total) },
      divergence: sums[noise.count] / (total / Double(text.chunkSize)), tokens: Int(total))
  }
}
