import Torch

/// Compresses every chunk of K tokens into one continuous vector, and back.
///
/// Its quality is the accuracy of reconstruction, also from a latent with noise on it: the language model will not hit
/// latents exactly. See the paper, section 2 (arXiv 2510.27688).
public final class Autoencoder: Module {
  @Submodule("encoder") var encoder: ChunkEncoder
  @Submodule("decoder") var decoder: ChunkDecoder
  /// Sizes and training constants.
  public let configuration: AutoencoderConfiguration

  /// An autoencoder with fresh weights.
  public init(_ configuration: AutoencoderConfiguration, generator: Generator) {
    self.configuration = configuration
    encoder = ChunkEncoder(configuration, generator: generator)
    decoder = ChunkDecoder(configuration, generator: generator)
  }

  /// The latent distribution of each chunk.
  ///
  /// - Parameter ids: int64, any shape whose element count is a multiple of K; chunks follow each other.
  public func encode(_ ids: Tensor) -> LatentDistribution {
    encoder(ids.reshaped(-1, configuration.chunkSize))
  }

  /// The most likely tokens of each latent.
  ///
  /// - Parameter latents: [chunks, l].
  /// - Returns: [chunks, K], int64.
  public func decode(_ latents: Tensor) -> Tensor {
    withoutGradients {
      linearArgmax(decoder(latents), weight: encoder.embedding.weight).reshaped(-1, configuration.chunkSize)
    }
  }

  /// Decoding up to where tokens part, for a caller that wants only some of them: a row for each token, [chunks·K, h].
  func expanded(_ latents: Tensor) -> Tensor {
    withoutGradients { decoder.expanded(latents) }
  }

  /// The most likely tokens of rows of ``expanded(_:)``: [tokens, h] → [tokens], int64.
  func tokens(ofExpanded rows: Tensor) -> Tensor {
    withoutGradients { linearArgmax(decoder.finished(rows), weight: encoder.embedding.weight) }
  }

  /// Which rows of ``expanded(_:)`` have `token` as their most likely one.
  ///
  /// Most have another, and one that beats it is mostly found among the first few thousand, where a trained tokenizer
  /// has its frequent ones: only rows that pass there are compared with the whole vocabulary.
  ///
  /// - Parameter rows: [tokens, h].
  /// - Returns: their indices, ascending.
  func rows(ofExpanded rows: Tensor, mostLikely token: Int32) -> [Int] {
    withoutGradients {
      let (hidden, weight) = (decoder.finished(rows), encoder.embedding.weight)
      var left = Array(0..<hidden.shape[0])
      if configuration.vocabularySize > 2 * Self.frequentTokens {
        let rivals = linearArgmax(hidden, weight: weight.narrowed(0, 0..<Self.frequentTokens))
        // Metal has no float64.
        let wide: DType = hidden.device == .mps ? .float32 : .float64
        let exact = hidden.to(wide)
        let rival = (exact * weight.gathered(0, rivals).to(wide)).sum(-1)
        let own = (exact * weight.selected(0, Int(token)).to(wide)).sum(-1)
        let lead = (rival - own).elements(as: Double.self)
        left = left.filter { lead[$0] <= 0 }
        if left.isEmpty { return [] }
      }
      let survivors = hidden.gathered(0, Tensor(left.map(Int64.init), device: hidden.device))
      let tokens = linearArgmax(survivors, weight: weight).elements(as: Int32.self)
      return zip(left, tokens).filter { $0.1 == token }.map(\.0)
    }
  }

  private static let frequentTokens = 2048

  /// The logits of each token of each chunk, [chunks, K, V].
  public func logits(_ latents: Tensor) -> Tensor {
    linear(decoder(latents), weight: encoder.embedding.weight)
      .reshaped(-1, configuration.chunkSize, configuration.vocabularySize)
  }
}
