import CTorch

/// A one-step posterior head with the values of some positions, fused into two calls: the beliefs of candidates, and
/// some of their tokens.
///
/// It replaces about seventy operations in generation, and computes only the tokens that are needed. The numbers of a
/// candidate do not depend on the others, bit for bit. The results have no gradient.
package struct FusedOneStepHead {
  /// A residual block: x + gate · output(silu(hidden(norm(x) · (1 + scale) + shift))).
  package struct Block {
    let norm: LayerNorm
    let hidden: Linear
    let output: Linear

    package init(norm: LayerNorm, hidden: Linear, output: Linear) {
      (self.norm, self.hidden, self.output) = (norm, hidden, output)
    }
  }

  /// The token embeddings, [V, h], which are multiplied by the result of the network.
  private let vocabulary: Tensor
  /// The embeddings of the path, transposed, [d, V], float32.
  private let codeWords: Tensor
  /// The logits of the prior, [positions·K, V], float32.
  private let prior: Tensor
  /// Shift, scale and gate of each block, then shift and scale of the output: [positions, …·h], float32.
  private let modulation: Tensor
  private let input: Linear
  private let blocks: [Block]
  private let output: Linear
  private let evidenceScale: Double

  /// Whether the kernel supports a head with these token embeddings: on the CPU, in float32 or bfloat16, without
  /// gradients.
  package static func supports(_ vocabulary: Tensor) -> Bool {
    vocabulary.device == .cpu && (vocabulary.dtype == .float32 || vocabulary.dtype == .bfloat16) && !ct_grad_mode()
  }

  /// Nil if the kernel does not support the head: see ``supports(_:)``. Its layers have biases, and the type of the
  /// token embeddings.
  ///
  /// - Parameters:
  ///   - vocabulary: the token embeddings, [V, h].
  ///   - codeWords: the embeddings of the path, [V, d], float32.
  ///   - prior: the logits of the prior, [positions·K, V], float32.
  ///   - modulation: the modulations of each position: shift, scale and gate of each block, then shift and scale of the
  ///     output, [positions, (3·blocks + 2)·h].
  ///   - input: K·d + K·h → K·h.
  ///   - blocks: the residual blocks.
  ///   - output: h → h.
  ///   - evidenceScale: the factor of the evidence.
  package init?(
    vocabulary: Tensor, codeWords: Tensor, prior: Tensor, modulation: Tensor, input: Linear, blocks: [Block],
    output: Linear, evidenceScale: Double
  ) {
    let layers = [input, output] + blocks.flatMap { [$0.hidden, $0.output] }
    guard Self.supports(vocabulary), layers.allSatisfy({ $0.bias != nil && $0.weight.dtype == vocabulary.dtype })
    else { return nil }
    (self.vocabulary, self.prior) = (vocabulary.contiguous(), prior.contiguous())
    self.codeWords = codeWords.transposed(0, 1).contiguous()
    self.modulation = modulation.to(.float32).contiguous()
    (self.input, self.blocks, self.output, self.evidenceScale) = (input, blocks, output, evidenceScale)
  }

  /// K.
  package var chunkSize: Int { input.weight.shape[0] / vocabulary.shape[1] }

  /// What the tokens of candidates depend on.
  package struct Beliefs {
    /// The noise, and the embedding of each token that is the most likely given the noise, in batches: [candidates,
    /// K·d + K·h], float32.
    package let batches: [Tensor]
    /// The position of each candidate.
    package let positions: [Int]

    /// These candidates, then others.
    package func joined(with other: Self) -> Self {
      Self(batches: batches + other.batches, positions: positions + other.positions)
    }

    /// The given candidates.
    package func selecting(_ candidates: [Int]) -> Self {
      let rows = Tensor.concatenated(batches).gathered(0, Tensor(candidates.map(Int64.init)))
      return Self(batches: [rows], positions: candidates.map { positions[$0] })
    }
  }

  /// The beliefs of candidates.
  ///
  /// - Parameters:
  ///   - noise: [candidates, K·d], float32.
  ///   - positions: the position of each candidate.
  package func beliefs(_ noise: Tensor, positions: [Int]) -> Beliefs {
    precondition(positions.count == noise.shape[0], "\(noise.shape[0]) candidates, \(positions.count) positions")
    let values = withHead { head in
      Tensor.make { ct_one_step_beliefs($0, head, noise.handle, positions.map(Int64.init)) }
    }
    return Beliefs(batches: [values], positions: positions)
  }

  /// Tokens of candidates.
  ///
  /// - Parameters:
  ///   - beliefs: those of the candidates.
  ///   - places: candidate · K + k for the k-th token of a candidate.
  /// - Returns: the most likely token at each place; −1 where a logit is not finite.
  package func tokens(_ beliefs: Beliefs, at places: [Int]) -> [Int32] {
    let batches = beliefs.batches.map { $0.handle as ct_tensor? }
    return withHead { head in
      [Int32](unsafeUninitializedCapacity: places.count) { tokens, count in
        check(
          ct_one_step_tokens(
            tokens.baseAddress, head, batches, Int32(batches.count), beliefs.positions.map(Int64.init),
            places.map(Int64.init), Int64(places.count)))
        count = places.count
      }
    }
  }

  private func withHead<Result>(_ body: (UnsafePointer<ct_one_step_head>) -> Result) -> Result {
    let blocks = blocks.map {
      ct_one_step_block(
        norm_weight: $0.norm.weight.handle, norm_bias: $0.norm.bias.handle, hidden_weight: $0.hidden.weight.handle,
        hidden_bias: $0.hidden.bias?.handle, output_weight: $0.output.weight.handle,
        output_bias: $0.output.bias?.handle)
    }
    return withExtendedLifetime(self) {
      blocks.withUnsafeBufferPointer { blocks in
        var head = ct_one_step_head(
          vocabulary: vocabulary.handle, code_words: codeWords.handle, prior: prior.handle,
          modulation: modulation.handle, input_weight: input.weight.handle, input_bias: input.bias?.handle,
          blocks: blocks.baseAddress, block_count: Int32(blocks.count), output_weight: output.weight.handle,
          output_bias: output.bias?.handle, scale: evidenceScale)
        return body(&head)
      }
    }
  }
}
