import Torch

extension PosteriorHead {
  /// A one-step head with the values of some positions, for candidates whose tokens are computed on demand; nil if the
  /// head samples in several steps, or if tensor operations are faster.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - vocabulary: the token embeddings, [V, h].
  package func fused(_ hidden: Tensor, vocabulary: Tensor) -> FusedOneStepHead? {
    // Its products are those of float32. In bfloat16, libtorch's are faster where the processor has such products.
    guard let evidenceScale, OneStepWeights.supports(vocabulary), vocabulary.dtype == .float32 || isKeepingRowsApart
    else { return nil }
    let fusion = fusion(vocabulary, evidenceScale: evidenceScale)
    return FusedOneStepHead(
      fusion.weights, prior: priorLogits(hidden, vocabulary: vocabulary),
      modulation: coupling.modulations(time: fusion.time, condition: coupling.embedded(hidden)))
  }

  /// What is the same for all positions. It is kept until a weight changes.
  struct Fusion {
    fileprivate let weights: OneStepWeights
    /// The embedding of the time, [h].
    fileprivate let time: Tensor
    fileprivate let sources: [TensorState]
  }

  private func fusion(_ vocabulary: Tensor, evidenceScale: Tensor) -> Fusion {
    let sources = [vocabulary, embedding.weight, evidenceScale] + coupling.fusedParameters
    if let latest = latestFusion, zip(latest.sources, sources).allSatisfy({ $0.isCurrent(for: $1) }) { return latest }
    let weights = OneStepWeights(
      vocabulary: vocabulary, codeWords: codeWords, input: coupling.input,
      blocks: coupling.blocks.map { OneStepWeights.Block(norm: $0.norm, hidden: $0.hidden, output: $0.output) },
      output: coupling.final.linear, evidenceScale: evidenceScale.item())
    let fusion = Fusion(
      weights: weights, time: coupling.time(studentTimes(vocabulary.device)), sources: sources.map(TensorState.init))
    latestFusion = fusion
    return fusion
  }
}

extension CouplingNetwork {
  /// The parameters of the time embedding and of the layers of each row.
  fileprivate var fusedParameters: [Tensor] {
    let layers = [input, final.linear] + blocks.flatMap { [$0.hidden, $0.output] } + [time.expand, time.mix]
    return layers.flatMap { [$0.weight] + [$0.bias].compactMap { $0 } }
      + blocks.flatMap { [$0.norm.weight, $0.norm.bias] }
  }
}
