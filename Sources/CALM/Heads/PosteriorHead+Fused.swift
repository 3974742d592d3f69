import Torch

extension PosteriorHead {
  /// A one-step head with the values of some positions, for candidates whose tokens are computed on demand; nil if the
  /// head samples in several steps, or if tensor operations are faster.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - vocabulary: the token embeddings, [V, h].
  package func fused(_ hidden: Tensor, vocabulary: Tensor) -> FusedOneStepHead? {
    guard let evidenceScale, PackedAdaptiveNetwork.isFaster(with: vocabulary) else { return nil }
    let fusion = fusion(of: [vocabulary, embedding.weight, evidenceScale] + coupling.fusedParameters) {
      Fusion(
        weights: OneStepWeights(
          vocabulary: vocabulary, codeWords: codeWords, input: coupling.input,
          network: coupling.blocks.packed(with: coupling.final), evidenceScale: evidenceScale.item()),
        time: coupling.time(studentTimes(vocabulary.device)))
    }
    return FusedOneStepHead(
      fusion.weights, prior: priorLogits(hidden, vocabulary: vocabulary),
      modulation: coupling.modulations(time: fusion.time, condition: coupling.embedded(hidden)))
  }

  /// What is the same for all positions.
  struct Fusion {
    fileprivate let weights: OneStepWeights
    /// The embedding of the time, [h].
    fileprivate let time: Tensor
  }

  /// A head of several steps with the values of some positions, for the evaluations along its path; nil if tensor
  /// operations are faster.
  package func fused(_ context: Context) -> FusedPosteriorHead? {
    let (vocabulary, path) = (context.vocabulary, path)
    guard !configuration.isOneStep, PackedAdaptiveNetwork.isFaster(with: vocabulary) else { return nil }
    let fusion = pathFusion(of: [vocabulary, embedding.weight] + coupling.fusedParameters) {
      let times = Tensor(
        path.times.prefix(path.evaluations).flatMap { $0 }, shape: [path.evaluations, 1, configuration.chunkSize])
      return PathFusion(
        weights: PosteriorWeights(
          vocabulary: vocabulary, codeWords: codeWords, input: coupling.input,
          network: coupling.blocks.packed(with: coupling.final)),
        times: coupling.time(Self.networkTimes(times)),
        precisions: EmbeddingPath.precision(times).reshaped(path.evaluations, -1))
    }
    let modulations = coupling.modulations(time: fusion.times, condition: context.condition)
    return FusedPosteriorHead(
      fusion.weights, prior: context.prior,
      evaluations: (0..<path.evaluations).map {
        FusedPosteriorHead.Evaluation(
          modulation: modulations.selected(0, $0), precision: fusion.precisions.selected(0, $0))
      })
  }

  /// What is the same for all positions.
  struct PathFusion {
    fileprivate let weights: PosteriorWeights
    /// The embeddings of the times of each evaluation, [evaluations, 1, h].
    fileprivate let times: Tensor
    /// The factors of the evidence, [evaluations, K], float32.
    fileprivate let precisions: Tensor
  }
}

extension CouplingNetwork {
  /// The parameters of the time embedding and of the layers of each row.
  fileprivate var fusedParameters: [Tensor] {
    [input, time.expand, time.mix].flatMap(\.parameters) + blocks.packedParameters(with: final)
  }
}
