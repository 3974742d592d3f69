import Torch

/// Samples of the chunk that follows each of some positions.
struct ChunkSamples {
  /// [samples, positions, K], int32.
  let tokens: Tensor
  /// The latents that decode to the tokens, [samples, positions, l]; nil for a head that samples tokens.
  let latents: Tensor?
}

extension ContinuousLanguageModel {
  /// The maximum number of random numbers held at once in sampling; a sample of the diffusion head takes 101·l.
  static let noiseAtOnce = 1 << 23

  /// Samples of the chunk that follows each hidden state.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - count: the number of samples of each chunk.
  ///   - generator: generates the noise.
  /// - Returns: ids, [count, positions, K], int32.
  /// - Throws: ``GenerationError/notFinite``.
  public func sampleChunks(_ hidden: Tensor, count: Int, generator: Generator) throws(GenerationError) -> Tensor {
    try chunkSamples(hidden, count: count, generator: generator).tokens
  }

  /// Samples of the chunk that follows each hidden state, [positions, h], with their latents.
  ///
  /// - Throws: ``GenerationError/notFinite``.
  func chunkSamples(_ hidden: Tensor, count: Int, generator: Generator) throws(GenerationError) -> ChunkSamples {
    guard let head = head as? any TokenHead else {
      let latents = sampleLatents(hidden, count: count, generator: generator)
      let tokens = tokenDecoder.decode(latents.reshaped(count * hidden.shape[0], -1)).to(.int32)
      return ChunkSamples(tokens: tokens.reshaped(count, hidden.shape[0], -1), latents: latents)
    }
    let vocabulary = backbone.embedding.weight
    let tokens = try inParts(hidden, count: count, generator: generator) { (noise) throws(GenerationError) in
      try head.tokens(hidden, noise: noise, vocabulary: vocabulary)
    }
    return ChunkSamples(tokens: tokens, latents: nil)
  }

  /// Samples of the latent that follows each hidden state.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - count: the number of samples of each latent.
  ///   - generator: generates the noise.
  /// - Returns: [count, positions, l].
  /// - Precondition: the head samples latents: ``HeadKind/usesAutoencoder``.
  public func sampleLatents(_ hidden: Tensor, count: Int, generator: Generator) -> Tensor {
    guard let head = head as? any LatentHead else { preconditionFailure("the head samples tokens") }
    return inParts(hidden, count: count, generator: generator) { head(hidden, noise: $0) }
  }

  /// Samples in parts, each of which has at most ``noiseAtOnce`` random numbers.
  ///
  /// - Parameter sample: returns the samples of a part of the noise, with the samples as the first dimension.
  private func inParts<Failure: Error>(
    _ hidden: Tensor, count: Int, generator: Generator, _ sample: (Tensor) throws(Failure) -> Tensor
  ) throws(Failure) -> Tensor {
    let positions = hidden.shape[0]
    let atOnce = max(1, Self.noiseAtOnce / (positions * head.noiseCount))
    var parts: [Tensor] = []
    for start in stride(from: 0, to: count, by: atOnce) {
      let samples = min(atOnce, count - start)
      parts.append(try sample(head.noise(samples: samples, positions: positions, generator: generator)))
    }
    return parts.count == 1 ? parts[0] : .concatenated(parts)
  }
}
