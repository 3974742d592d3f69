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
}

extension CouplingNetwork {
  /// The parameters of the time embedding and of the layers of each row.
  fileprivate var fusedParameters: [Tensor] {
    [input, time.expand, time.mix].flatMap(\.parameters) + blocks.packedParameters(with: final)
  }
}
