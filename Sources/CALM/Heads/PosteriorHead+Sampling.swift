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
      let ends = pathEnds(context, samples: samples)
      let atOnce = max(1, positionsAtOnce / range.count)
      let parts = try stride(from: 0, to: samples, by: atOnce).map { (first) throws(GenerationError) in
        let part = first..<min(first + atOnce, samples)
        let noise = noise.narrowed(1, range).narrowed(0, part)
        guard let tokens = ends(noise.to(.float32)) else { throw .notFinite }
        return tokens.reshaped(part.count, range.count, configuration.chunkSize)
      }
      return Tensor.concatenated(parts)
    }
    return rows.count == 1 ? rows[0] : .concatenated(rows, along: 1)
  }

  /// The values shared by all points on the paths of some positions.
  package struct Context {
    /// The logits of the prior, [positions·K, V], float32.
    let prior: Tensor
    /// The condition of the network, [positions, h].
    let condition: Tensor
    /// The token embeddings, [V, h].
    let vocabulary: Tensor
    /// The embeddings e(v), [V, d], float32.
    package let codeWords: Tensor
  }

  /// The context of some positions.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - vocabulary: the token embeddings, [V, h].
  ///   - codeWords: the result of ``codeWords``.
  package func context(_ hidden: Tensor, vocabulary: Tensor, codeWords: Tensor) -> Context {
    Context(
      prior: priorLogits(hidden, vocabulary: vocabulary), condition: coupling.embedded(hidden),
      vocabulary: vocabulary, codeWords: codeWords)
  }

  /// The logits of the prior: [positions, h] → [positions·K, V], float32.
  func priorLogits(_ hidden: Tensor, vocabulary: Tensor) -> Tensor {
    let rows = prior(hidden).reshaped(-1, configuration.hiddenSize)  // [positions·K, h]
    return linear(rows, weight: vocabulary).to(.float32)
  }

  /// Follows the paths of some positions: from noise, [samples, positions, K·d], to the most likely tokens at the end,
  /// samples · positions · K of int32; nil if a logit is not finite. A one-step head reads only the noise.
  private func pathEnds(_ context: Context, samples: Int) -> (_ noise: Tensor) -> Tensor? {
    if configuration.isOneStep { return { Self.mostLikely(self.oneStepLogits($0, context)) } }
    let path = path
    if FusedPosteriorHead.isFaster(forRows: samples * context.prior.shape[0]), let fused = fused(context) {
      return { noise in
        let tokens = fused.tokens(path.lastPoint(from: noise, mean: fused.means), evaluation: path.evaluations - 1)
        return tokens.contains { $0 < 0 } ? nil : Tensor(tokens)
      }
    }
    let times = path.times.map { Tensor($0, device: context.prior.device) }
    return { noise in
      let last = path.lastPoint(from: noise) { x, evaluation in
        matmul(softmax(self.logits(x, at: times[evaluation], context)), context.codeWords).reshaped(x.shape)
      }
      return Self.mostLikely(self.logits(last, at: times[path.evaluations - 1], context))
    }
  }

  /// The most likely tokens of rows of V logits, int32; nil if a logit is not finite.
  private static func mostLikely(_ logits: Tensor) -> Tensor? {
    logits.allFinite() ? logits.argmax().to(.int32) : nil
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
  package func logits(_ x: Tensor, at t: Tensor, _ context: Context) -> Tensor {
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
