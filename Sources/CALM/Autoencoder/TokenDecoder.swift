import Torch

/// Latents → token ids, for an autoencoder whose weights do not change: its vocabulary is quantized once.
///
/// Decoding has two steps, for callers that need only some tokens of a chunk: the first expands the latent into one row
/// per token, and the second decodes any of these rows.
struct TokenDecoder {
  private let decoder: ChunkDecoder
  private let search: QuantizedArgmax
  private let configuration: AutoencoderConfiguration
  /// Whether all weights used for decoding are finite.
  let hasFiniteWeights: Bool

  /// - Parameter autoencoder: its weights must not change.
  init(_ autoencoder: Autoencoder) {
    decoder = autoencoder.decoder
    configuration = autoencoder.configuration
    let vocabulary = autoencoder.encoder.embedding.weight
    search = withoutGradients { QuantizedArgmax(vocabulary) }
    let weights = [vocabulary] + decoder.namedParameters().map(\.tensor)
    hasFiniteWeights = withoutGradients { weights.allSatisfy { $0.allFinite() } }
  }

  /// Whether the quantized vocabulary matches an autoencoder's current weights.
  func isCurrent(for autoencoder: Autoencoder) -> Bool {
    search.isCurrent(for: autoencoder.encoder.embedding.weight)
  }

  /// K.
  var chunkSize: Int { configuration.chunkSize }

  /// The number of rows that can be decoded in the time of reading the vocabulary from memory; 0 if it stays in cache.
  var freeRows: Int { configuration.vocabularySize * configuration.hiddenSize > 1 << 24 ? 64 : 0 }

  /// The most likely tokens of each latent: [chunks, l] → [chunks, K], int64.
  func decode(_ latents: Tensor) -> Tensor {
    tokens(ofExpanded: expanded(latents)).reshaped(-1, chunkSize)
  }

  /// The first step: [chunks, l] → [chunks·K, h].
  func expanded(_ latents: Tensor) -> Tensor {
    withoutGradients { decoder.expanded(latents) }
  }

  /// The most likely tokens of rows of ``expanded(_:)``: [tokens, h] → [tokens], int64.
  func tokens(ofExpanded rows: Tensor) -> Tensor {
    withoutGradients { search(decoder.finished(rows)) }
  }

  /// The rows of ``expanded(_:)`` whose most likely token is `token`.
  ///
  /// For most rows another token is more likely, usually one of the first few thousand ids, which are the frequent
  /// tokens of a trained tokenizer. Only the remaining rows are compared with the whole vocabulary.
  ///
  /// - Parameter rows: [tokens, h].
  /// - Returns: their indices, ascending.
  func rows(ofExpanded rows: Tensor, mostLikely token: Int32) -> [Int] {
    withoutGradients {
      let (hidden, weight) = (decoder.finished(rows), search.weight)
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
      let tokens = search(survivors).elements(as: Int32.self)
      return zip(left, tokens).filter { $0.1 == token }.map(\.0)
    }
  }

  private static let frequentTokens = 2048
}
