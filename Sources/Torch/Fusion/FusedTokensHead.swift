import CTorch

/// The weights of a tokens head in the order in which the kernel of ``FusedTokensHead`` reads them.
///
/// They are copies: the head makes them once for many chunks.
package struct TokensHeadWeights {
  /// The token embeddings, [V, h].
  fileprivate let embeddings: Tensor
  /// The same, packed.
  fileprivate let vocabulary: Tensor
  fileprivate let prefix: [PackedLinear]
  fileprivate let network: PackedAdaptiveNetwork

  /// The layers have biases, and the type of the token embeddings, which the kernel supports.
  ///
  /// - Parameters:
  ///   - vocabulary: the token embeddings, [V, h].
  ///   - prefix: for 1 to K − 1 tokens the layer that reads their embeddings, tokens·h → h.
  ///   - network: what follows these layers.
  package init(vocabulary: Tensor, prefix: [Linear], network: PackedAdaptiveNetwork) {
    (embeddings, self.vocabulary) = (vocabulary.contiguous(), packed(vocabulary))
    (self.prefix, self.network) = (prefix.map { PackedLinear($0) }, network)
  }
}

/// A tokens head with the values of some positions, fused into one call.
///
/// It replaces about forty operations in generation. The numbers of a beginning do not depend on the others, bit for
/// bit. The results have no gradient.
package struct FusedTokensHead {
  private let weights: TokensHeadWeights
  private let chunkSize: Int
  private let prior: Tensor
  private let modulation: Tensor

  /// - Parameters:
  ///   - weights: the weights of the head.
  ///   - prior: the rows of the prior, [positions·K, h].
  ///   - modulation: the modulations of each position: shift, scale and gate of each block, then shift and scale of the
  ///     output, [positions, (3·blocks + 2)·h].
  package init(_ weights: TokensHeadWeights, prior: Tensor, modulation: Tensor) {
    self.weights = weights
    chunkSize = prior.shape[0] / modulation.shape[0]
    self.prior = prior.to(.float32).contiguous()
    self.modulation = modulation.to(.float32).contiguous()
  }

  /// The running sums of the probabilities to a power, times a factor, of the token that follows each of some beginnings
  /// of chunks.
  ///
  /// - Parameters:
  ///   - beginnings: fewer than K tokens each, in the order of their lengths.
  ///   - exponent: the power, above 0.
  /// - Returns: V numbers for each beginning, of which the last is NaN if a logit is NaN or +∞.
  package func sums(after beginnings: [(position: Int, tokens: [Int32])], exponent: Double = 1) -> [Float] {
    let count = beginnings.count * weights.embeddings.shape[0]
    let weightsOfPrefix = weights.prefix.map { $0.weight.handle as ct_tensor? }
    let biases = weights.prefix.map { $0.bias.handle as ct_tensor? }
    return [Float](unsafeUninitializedCapacity: count) { sums, initialized in
      weights.network.withNetwork { network in
        weightsOfPrefix.withUnsafeBufferPointer { weightsOfPrefix in
          biases.withUnsafeBufferPointer { biases in
            var head = ct_tokens_head(
              vocabulary: weights.vocabulary.handle, embeddings: weights.embeddings.handle, prior: prior.handle,
              modulation: modulation.handle, prefix_weights: weightsOfPrefix.baseAddress,
              prefix_biases: biases.baseAddress, chunk_size: Int32(chunkSize), network: network)
            check(
              ct_tokens_head_sums(
                sums.baseAddress, &head, beginnings.map { Int64($0.position) },
                beginnings.map { Int64($0.tokens.count) }, beginnings.flatMap(\.tokens), Int64(beginnings.count),
                exponent))
          }
        }
      }
      initialized = count
    }
  }
}
