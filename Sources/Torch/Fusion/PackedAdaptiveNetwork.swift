import CTorch

/// Residual blocks and an output layer of width h, with packed weights.
///
/// They are copies: a head makes them once for many chunks.
package struct PackedAdaptiveNetwork {
  /// A residual block: x + gate · output(silu(hidden(norm(x) · (1 + scale) + shift))).
  package struct Block {
    let norm: LayerNorm
    let hidden: PackedLinear
    let output: PackedLinear

    package init(norm: LayerNorm, hidden: Linear, output: Linear) {
      (self.norm, self.hidden, self.output) = (norm, PackedLinear(hidden), PackedLinear(output))
    }
  }

  private let blocks: [Block]
  private let output: PackedLinear

  /// Whether a head with these token embeddings, [V, h], is faster with packed weights: on the CPU without gradients, in
  /// float32. The kernels compute in float32 with weights of either type, and libtorch's products in bfloat16 are faster
  /// where the processor has them, but do not keep rows apart.
  package static func isFaster(with vocabulary: Tensor) -> Bool {
    vocabulary.device == .cpu && !ct_grad_mode()
      && (vocabulary.dtype == .float32 || vocabulary.dtype == .bfloat16 && isKeepingRowsApart)
  }

  /// The layers have biases.
  ///
  /// - Parameter output: h → h, after a norm without weights that is shifted and scaled.
  package init(_ blocks: [Block], output: Linear) {
    (self.blocks, self.output) = (blocks, PackedLinear(output))
  }

  /// Calls `body` with the network of the C interface.
  func withNetwork<Result>(_ body: (ct_adaptive_network) -> Result) -> Result {
    let blocks = blocks.map {
      ct_adaptive_block(
        norm_weight: $0.norm.weight.handle, norm_bias: $0.norm.bias.handle, hidden_weight: $0.hidden.weight.handle,
        hidden_bias: $0.hidden.bias.handle, output_weight: $0.output.weight.handle,
        output_bias: $0.output.bias.handle)
    }
    return withExtendedLifetime(self) {
      blocks.withUnsafeBufferPointer {
        body(
          ct_adaptive_network(
            blocks: $0.baseAddress, block_count: Int32($0.count), output_weight: output.weight.handle,
            output_bias: output.bias.handle))
      }
    }
  }
}
