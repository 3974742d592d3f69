import Torch

/// Samples the next chunks of some sequences from the head: its random numbers become chunks.
struct ChunkSource {
  private let model: ContinuousLanguageModel
  private let hidden: Tensor
  /// A one-step head with the values of the sequences, which all their candidates share.
  private let fused: FusedOneStepHead?
  /// The beginnings of the sequences' next chunks, which all their candidates share, for a tokens head.
  private let tree: BeginningTree?

  /// - Parameters:
  ///   - hidden: [sequences, h].
  ///   - beginnings: tokens with which the chunks of each sequence should begin, fewer than K. A head that samples token
  ///     by token makes such chunks only; other heads cannot.
  ///   - choice: how such a head chooses each token.
  init(_ model: ContinuousLanguageModel, hidden: Tensor, beginnings: [[Int32]], choice: TokenChoice) {
    (self.model, self.hidden) = (model, hidden)
    let vocabulary = model.backbone.embedding.weight
    fused = withoutGradients { (model.head as? PosteriorHead)?.fused(hidden, vocabulary: vocabulary) }
    tree = (model.head as? TokensHead).flatMap {
      $0.samplesTokenByToken
        ? BeginningTree($0, hidden: hidden, vocabulary: vocabulary, given: beginnings, choice: choice) : nil
    }
  }

  /// The chunks that the head makes of random numbers: chunk `i · sequences + s` is the i-th of sequence s.
  ///
  /// - Parameters:
  ///   - sequences: some of the sequences.
  ///   - noise: [samples, sequences, …].
  /// - Throws: ``GenerationError/notFinite``. Tokens that are computed on demand fail later: see
  ///   ``SampledChunks/notFinite``.
  func chunks(of sequences: [Int], noise: Tensor) throws(GenerationError) -> SampledChunks {
    let positions = Array(repeating: sequences, count: noise.shape[0]).flatMap { $0 }
    let flat = noise.reshaped(positions.count, -1)
    if let fused { return SampledChunks(OneStepChunks(flat, positions: positions, head: fused)) }
    if let tree { return SampledChunks(TokensChunks(flat, positions: positions, tree: tree)) }
    let rows =
      sequences == Array(0..<hidden.shape[0])
      ? hidden : hidden.gathered(0, Tensor(sequences.map(Int64.init), device: hidden.device))
    switch model.head {
    case let head as any LatentHead:
      let latents = head(rows, noise: noise).reshaped(-1, model.configuration.latentSize)
      return SampledChunks(try LatentChunks(latents, decoder: model.tokenDecoder))
    case let head as any TokenHead:
      let tokens = try head.tokens(rows, noise: noise, vocabulary: model.backbone.embedding.weight)
      return SampledChunks(tokens: tokens.reshaped(-1, model.configuration.chunkSize))
    default: preconditionFailure("a head samples latents or tokens")
    }
  }
}
