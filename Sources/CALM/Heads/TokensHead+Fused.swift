import Torch

extension TokensHead {
  /// The head with the values of some positions, for beginnings of chunks; nil if tensor operations are faster.
  ///
  /// - Parameters:
  ///   - context: what all chunks of the positions share.
  ///   - vocabulary: the token embeddings, [V, h].
  package func fused(_ context: Context, vocabulary: Tensor) -> FusedTokensHead? {
    guard PackedAdaptiveNetwork.isFaster(with: vocabulary) else { return nil }
    // With K = 1, the only layer for earlier tokens is not used.
    let prefix = Array(prefix.prefix(configuration.chunkSize - 1))
    let sources = [vocabulary] + prefix.flatMap(\.parameters) + blocks.packedParameters(with: output)
    let weights = packedWeights(of: sources) {
      TokensHeadWeights(vocabulary: vocabulary, prefix: prefix, network: blocks.packed(with: output))
    }
    return FusedTokensHead(weights, prior: context.priors, modulation: context.modulations)
  }
}
