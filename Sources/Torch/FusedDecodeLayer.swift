import CTorch

/// The weights of a Llama Transformer layer without biases, for one position of a few sequences at a time.
///
/// Generation runs each layer in one call instead of some thirty operations, at the cost of reading the weights once. The
/// result has no gradient.
public struct FusedDecodeLayer {
  /// Before the attention, [h].
  public var attentionNorm: Tensor
  /// [heads · size, h].
  public var query: Tensor
  /// [key heads · size, h].
  public var key: Tensor
  /// [key heads · size, h].
  public var value: Tensor
  /// [h, heads · size].
  public var output: Tensor
  /// Before the gated part, [h].
  public var mlpNorm: Tensor
  /// [intermediate, h].
  public var gate: Tensor
  /// [intermediate, h].
  public var up: Tensor
  /// [h, intermediate].
  public var down: Tensor
  /// Of both norms.
  public var epsilon: Double

  /// The weights of a layer.
  public init(
    attentionNorm: Tensor, query: Tensor, key: Tensor, value: Tensor, output: Tensor, mlpNorm: Tensor, gate: Tensor,
    up: Tensor, down: Tensor, epsilon: Double
  ) {
    (self.attentionNorm, self.query, self.key, self.value) = (attentionNorm, query, key, value)
    (self.output, self.mlpNorm, self.gate, self.up) = (output, mlpNorm, gate, up)
    (self.down, self.epsilon) = (down, epsilon)
  }

  /// Whether the kernel supports these rows: few, on the CPU, in float32 or bfloat16, without gradients.
  public static func supports(_ x: Tensor) -> Bool {
    let shape = x.shape
    return x.device == .cpu && (x.dtype == .float32 || x.dtype == .bfloat16) && shape[0] <= Int(ct_max_skinny_rows())
      && shape.dropFirst().dropLast().allSatisfy { $0 == 1 } && !ct_grad_mode()
  }

  /// The layer's output at the next position.
  ///
  /// - Parameters:
  ///   - x: [rows, h], or [rows, 1, h].
  ///   - keys: the cache of the positions before, with room for one more, [rows, key heads, room, size]; the new keys
  ///     are written into it.
  ///   - values: likewise.
  ///   - length: the number of positions before.
  ///   - angles: of the new position, [1, size / 2] each, float32.
  public func callAsFunction(
    _ x: Tensor, keys: Tensor, values: Tensor, length: Int, angles: (cosine: Tensor, sine: Tensor)
  ) -> Tensor {
    var layer = ct_decode_layer_weights(
      attention_norm: attentionNorm.handle, query: query.handle, key: key.handle, value: value.handle,
      output: output.handle, mlp_norm: mlpNorm.handle, gate: gate.handle, up: up.handle, down: down.handle,
      keys: keys.handle, values: values.handle, epsilon: epsilon)
    return withExtendedLifetime((self, keys, values)) {
      .make { ct_decode_layer($0, x.handle, &layer, Int64(length), angles.cosine.handle, angles.sine.handle) }
    }
  }
}
