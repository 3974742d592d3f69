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
    guard let evidenceScale, FusedOneStepHead.supports(vocabulary),
      vocabulary.dtype == .float32 || isKeepingRowsApart
    else { return nil }
    let context = context(hidden, vocabulary: vocabulary, codeWords: codeWords)
    return FusedOneStepHead(
      vocabulary: vocabulary, codeWords: context.codeWords, prior: context.prior,
      modulation: coupling.modulations(times: studentTimes(hidden.device), condition: context.condition),
      input: coupling.input,
      blocks: coupling.blocks.map { FusedOneStepHead.Block(norm: $0.norm, hidden: $0.hidden, output: $0.output) },
      output: coupling.final.linear, evidenceScale: evidenceScale.item())
  }
}
