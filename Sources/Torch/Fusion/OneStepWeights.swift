import CTorch

/// The weights of a one-step posterior head in the order in which the kernel of ``FusedOneStepHead`` reads them.
///
/// They are copies: the head makes them once for many chunks.
package struct OneStepWeights {
  /// A residual block: x + gate · output(silu(hidden(norm(x) · (1 + scale) + shift))).
  package struct Block {
    let norm: LayerNorm
    let hidden: PackedLinear
    let output: PackedLinear

    package init(norm: LayerNorm, hidden: Linear, output: Linear) {
      (self.norm, self.hidden, self.output) = (norm, PackedLinear(hidden), PackedLinear(output))
    }
  }

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
  private let blocks: [Block]
  private let output: PackedLinear
  private let evidenceScale: Double

  /// Whether the kernel supports a head with these token embeddings: on the CPU, in float32 or bfloat16, without
  /// gradients.
  package static func supports(_ vocabulary: Tensor) -> Bool {
    vocabulary.device == .cpu && (vocabulary.dtype == .float32 || vocabulary.dtype == .bfloat16) && !ct_grad_mode()
  }

  /// The number of products that are kept for the first layer, at most: 64 MB.
  private static let mostMixed = 1 << 24

  /// The layers have biases, and the type of the token embeddings, which the kernel supports.
  ///
  /// - Parameters:
  ///   - vocabulary: the token embeddings, [V, h].
  ///   - codeWords: the embeddings of the path, [V, d], float32.
  ///   - input: K·d + K·h → K·h.
  ///   - blocks: the residual blocks.
  ///   - output: h → h.
  ///   - evidenceScale: the factor of the evidence.
  package init(
    vocabulary: Tensor, codeWords: Tensor, input: Linear, blocks: [Block], output: Linear, evidenceScale: Double
  ) {
    let (v, h) = (vocabulary.shape[0], vocabulary.shape[1])
    let k = input.weight.shape[0] / h
    let noise = k * codeWords.shape[1]
    chunkSize = k
    self.vocabulary = packed(vocabulary)
    self.codeWords = packed(codeWords)
    (self.blocks, self.output, self.evidenceScale) = (blocks, PackedLinear(output), evidenceScale)
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
    let blocks = blocks.map {
      ct_one_step_block(
        norm_weight: $0.norm.weight.handle, norm_bias: $0.norm.bias.handle, hidden_weight: $0.hidden.weight.handle,
        hidden_bias: $0.hidden.bias.handle, output_weight: $0.output.weight.handle,
        output_bias: $0.output.bias.handle)
    }
    var (embeddings, mixed): (ct_tensor?, ct_tensor?) = (nil, nil)
    switch belief {
    case .embeddings(let tensor): embeddings = tensor.handle
    case .mixed(let tensor): mixed = tensor.handle
    }
    return withExtendedLifetime(self) {
      blocks.withUnsafeBufferPointer { blocks in
        var head = ct_one_step_head(
          vocabulary: vocabulary.handle, code_words: codeWords.handle, prior: prior.handle,
          modulation: modulation.handle, embeddings: embeddings, mixed: mixed, input_weight: input.weight.handle,
          input_bias: input.bias.handle, blocks: blocks.baseAddress, block_count: Int32(blocks.count),
          output_weight: output.weight.handle, output_bias: output.bias.handle, scale: evidenceScale)
        return body(&head)
      }
    }
  }
}

/// A linear layer whose weight is packed.
struct PackedLinear {
  let weight: Tensor
  let bias: Tensor

  init(_ weight: Tensor, bias: Tensor?) {
    guard let bias else { preconditionFailure("a layer without a bias") }
    (self.weight, self.bias) = (packed(weight), bias.contiguous())
  }

  init(_ layer: Linear) { self.init(layer.weight, bias: layer.bias) }
}

/// A matrix of weights in the order in which products of a few rows read it: […, outputs, inputs] → […, panels, inputs,
/// 16], with zeros after the last output.
func packed(_ weight: Tensor) -> Tensor { .make { ct_packed_weight($0, weight.handle) } }
