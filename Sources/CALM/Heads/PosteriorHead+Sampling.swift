import Torch

extension PosteriorHead {
  package func tokens(
    _ hidden: Tensor, noise: Tensor, vocabulary: Tensor
  ) throws(GenerationError) -> Tensor {
    let codeWords = codeWords
    let (samples, positions) = (noise.shape[0], noise.shape[1])
    let rows = try stride(from: 0, to: positions, by: positionsAtOnce).map { (start) throws(GenerationError) in
      let range = start..<min(start + positionsAtOnce, positions)
      let context = context(hidden.narrowed(0, range), vocabulary: vocabulary, codeWords: codeWords)
      let atOnce = max(1, positionsAtOnce / range.count)
      let parts = try stride(from: 0, to: samples, by: atOnce).map { (first) throws(GenerationError) in
        let part = first..<min(first + atOnce, samples)
        return try solve(noise.narrowed(1, range).narrowed(0, part), context)
      }
      return Tensor.concatenated(parts)
    }
    return rows.count == 1 ? rows[0] : .concatenated(rows, along: 1)
  }

  /// The values shared by all points on the paths of some positions.
  struct Context {
    /// The logits of the prior, [positions·K, V], float32.
    let prior: Tensor
    /// The condition of the network, [positions, h].
    let condition: Tensor
    let vocabulary: Tensor
    let codeWords: Tensor
  }

  func context(_ hidden: Tensor, vocabulary: Tensor, codeWords: Tensor) -> Context {
    Context(
      prior: priorLogits(hidden, vocabulary: vocabulary), condition: coupling.embedded(hidden),
      vocabulary: vocabulary, codeWords: codeWords)
  }

  /// The logits of the prior: [positions, h] → [positions·K, V], float32.
  func priorLogits(_ hidden: Tensor, vocabulary: Tensor) -> Tensor {
    let rows = prior(hidden).reshaped(-1, configuration.hiddenSize)  // [positions·K, h]
    return linear(rows, weight: vocabulary).to(.float32)
  }

  /// The most likely tokens at the end of the path from noise. A one-step head reads only the noise.
  ///
  /// - Parameter noise: [samples, positions, K·d].
  /// - Returns: [samples, positions, K], int32.
  private func solve(_ noise: Tensor, _ context: Context) throws(GenerationError) -> Tensor {
    if configuration.isOneStep { return try mostLikely(oneStepLogits(noise.to(.float32), context), noise.shape) }
    let path = EmbeddingPath(codeWords: context.codeWords)
    let logits = path.end(
      from: noise, steps: configuration.solverSteps, stagger: configuration.pathStagger
    ) { self.logits($0, at: $1, context) }
    return try mostLikely(logits, noise.shape)
  }

  /// The most likely tokens of [samples, positions·K, V]: [samples, positions, K], int32.
  private func mostLikely(_ logits: Tensor, _ shape: [Int]) throws(GenerationError) -> Tensor {
    guard logits.allFinite() else { throw .notFinite }
    return logits.argmax().to(.int32).reshaped(shape[0], shape[1], configuration.chunkSize)
  }

  /// The logits of a one-step head, [samples, positions·K, V], float32.
  ///
  /// - Parameter noise: [samples, positions, K·d], float32.
  func oneStepLogits(_ noise: Tensor, _ context: Context) -> Tensor {
    guard let evidenceScale else { preconditionFailure("the head samples in several steps") }
    return logits(
      noise, evidence: noise * evidenceScale.to(.float32), times: studentTimes(noise.device), context)
  }

  /// The logits of the posterior, [samples, positions·K, V], float32.
  ///
  /// - Parameters:
  ///   - x: [samples, positions, K·d], float32.
  ///   - t: the times of the K tokens, [K] or [samples, positions, K], float32.
  func logits(_ x: Tensor, at t: Tensor, _ context: Context) -> Tensor {
    let evidence = parts(x) * EmbeddingPath.precision(t).reshaped(t.shape + [1])
    return logits(x, evidence: evidence, times: Self.networkTimes(t), context)
  }

  /// - Parameter evidence: the factor of the embeddings, in the shape of x.
  private func logits(_ x: Tensor, evidence: Tensor, times: Tensor, _ context: Context) -> Tensor {
    let (samples, h) = (x.shape[0], configuration.hiddenSize)
    let evidence = evidence.reshaped(samples, -1, context.codeWords.shape[1])  // [samples, positions·K, d]
    let known = linear(evidence, weight: context.codeWords) + context.prior
    let belief = belief(known, vocabulary: context.vocabulary).reshaped(samples, x.shape[1], -1)
    let rows = coupling(input(x, belief), times: times, condition: context.condition)
    return known + linear(rows.reshaped(samples, -1, h), weight: context.vocabulary).to(.float32)
  }

  /// The number of positions whose logits take a few megabytes.
  var positionsAtOnce: Int { max(1, (1 << 20) / (configuration.chunkSize * configuration.vocabularySize)) }
}
