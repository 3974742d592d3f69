import CTorch

/// The weights of a one-step posterior head in the order in which the kernel of ``FusedOneStepHead`` reads them.
///
/// They are copies: the head makes them once for many chunks.
package struct OneStepWeights {
  /// What the first layer reads of a belief.
  private enum BeliefInput {
    /// The embeddings of its tokens, [V, h].
    case embeddings(Tensor)
    /// The products of each token's embedding with the weights of each of its K places: [V, K, K·h], float32.
    case mixed(Tensor)
  }

  /// K.
  package let chunkSize: Int
  /// The token embeddings, [V, h], which are multiplied by the result of the network; packed.
  private let vocabulary: Tensor
  /// The embeddings of the path, [V, d], float32; packed.
  private let codeWords: Tensor
  private let belief: BeliefInput
  /// For each of the K tokens a packed weight: [K, panels, inputs, 16].
  private let input: PackedLinear
  private let network: PackedAdaptiveNetwork
  private let evidenceScale: Double

  /// The number of products that are kept for the first layer, at most: 64 MB.
  private static let mostMixed = 1 << 24

  /// The layers have biases, and the type of the token embeddings, which the kernel supports.
  ///
  /// - Parameters:
  ///   - vocabulary: the token embeddings, [V, h].
  ///   - codeWords: the embeddings of the path, [V, d], float32.
  ///   - input: K·d + K·h → K·h.
  ///   - network: what follows the first layer.
  ///   - evidenceScale: the factor of the evidence.
  package init(
    vocabulary: Tensor, codeWords: Tensor, input: Linear, network: PackedAdaptiveNetwork, evidenceScale: Double
  ) {
    let (v, h) = (vocabulary.shape[0], vocabulary.shape[1])
    let k = input.weight.shape[0] / h
    let noise = k * codeWords.shape[1]
    chunkSize = k
    self.vocabulary = packed(vocabulary)
    self.codeWords = packed(codeWords)
    (self.network, self.evidenceScale) = (network, evidenceScale)
    let weight = input.weight.reshaped(k, h, -1)
    if v * k * k * h <= Self.mostMixed {
      let embeddings = vocabulary.to(.float32)
      let parts = (0..<k).map { place in
        let weights = input.weight.narrowed(1, noise + place * h..<noise + (place + 1) * h)
        return linear(embeddings, weight: weights.to(.float32))  // [V, K·h]
      }
      belief = .mixed(.stacked(parts, along: 1))
      self.input = PackedLinear(weight.narrowed(2, 0..<noise), bias: input.bias)
    } else {
      belief = .embeddings(vocabulary.contiguous())
      self.input = PackedLinear(weight, bias: input.bias)
    }
  }

  /// Calls `body` with the head of the C interface, with the values of some positions.
  func withHead<Result>(
    prior: Tensor, modulation: Tensor, _ body: (UnsafePointer<ct_one_step_head>) -> Result
  ) -> Result {
    var (embeddings, mixed): (ct_tensor?, ct_tensor?) = (nil, nil)
    switch belief {
    case .embeddings(let tensor): embeddings = tensor.handle
    case .mixed(let tensor): mixed = tensor.handle
    }
    return network.withNetwork { network in
      var head = ct_one_step_head(
        vocabulary: vocabulary.handle, code_words: codeWords.handle, prior: prior.handle,
        modulation: modulation.handle, embeddings: embeddings, mixed: mixed, input_weight: input.weight.handle,
        input_bias: input.bias.handle, network: network, scale: evidenceScale)
      return withExtendedLifetime(self) { body(&head) }
    }
  }
}
