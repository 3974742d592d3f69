import CTorch

/// The weights of a posterior head in the order in which the kernel of ``FusedPosteriorHead`` reads them.
///
/// They are copies: the head makes them once for many chunks.
package struct PosteriorWeights {
  /// The token embeddings, [V, h], and those of the path, [V, d] in float32: packed for logits.
  private let vocabulary, codeWords: Tensor
  /// The same in slices of tokens, packed for mean embeddings.
  private let vocabularySlices, codeWordSlices: Tensor
  /// For each of the K tokens a packed weight: [K, panels, inputs, 16].
  private let input: PackedLinear
  private let network: PackedAdaptiveNetwork

  /// The number of slices, at most, and their tokens, at least. Each has its own softmax, so that threads can share the
  /// vocabulary.
  private static let (mostSlices, fewestTokens) = (16, 256)

  /// The layers have biases, and the type of the token embeddings, which the kernel supports.
  ///
  /// - Parameters:
  ///   - vocabulary: the token embeddings, [V, h].
  ///   - codeWords: the embeddings of the path, [V, d], float32.
  ///   - input: K·d + K·h → K·h.
  ///   - network: what follows the first layer.
  package init(vocabulary: Tensor, codeWords: Tensor, input: Linear, network: PackedAdaptiveNetwork) {
    let h = vocabulary.shape[1]
    (self.vocabulary, self.codeWords) = (packed(vocabulary), packed(codeWords))
    (vocabularySlices, codeWordSlices) = (Self.sliced(vocabulary), Self.sliced(codeWords))
    self.input = PackedLinear(input.weight.reshaped(input.weight.shape[0] / h, h, -1), bias: input.bias)
    self.network = network
  }

  /// A matrix with a row for each token, [V, n], for means of its rows: [slices, panels, tokens, 16], packed as if each
  /// slice were a weight whose inputs are its tokens, a multiple of 16. Zeros follow the last token.
  private static func sliced(_ matrix: Tensor) -> Tensor {
    let (size, columns) = (matrix.shape[0], matrix.shape[1])
    let wholePanels = (size + 16 * mostSlices - 1) / (16 * mostSlices) * 16
    let tokens = max(fewestTokens, wholePanels)
    let count = (size + tokens - 1) / tokens
    let zeros = Tensor.zeros([count * tokens - size, columns], dtype: matrix.dtype)
    return packed(Tensor.concatenated([matrix, zeros]).reshaped(count, tokens, columns).transposed(1, 2))
  }

  /// Calls `body` with the head of the C interface, with the values of some positions.
  func withHead<Result>(
    prior: Tensor, modulation: Tensor, precision: Tensor, _ body: (UnsafePointer<ct_posterior_head>) -> Result
  ) -> Result {
    network.withNetwork { network in
      var head = ct_posterior_head(
        vocabulary: vocabulary.handle, code_words: codeWords.handle, vocabulary_slices: vocabularySlices.handle,
        code_word_slices: codeWordSlices.handle, prior: prior.handle, modulation: modulation.handle,
        precision: precision.handle, input_weight: input.weight.handle, input_bias: input.bias.handle,
        network: network)
      return withExtendedLifetime(self) { body(&head) }
    }
  }
}
