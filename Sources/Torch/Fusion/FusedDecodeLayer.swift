import CTorch

/// A Llama Transformer layer without biases, fused into one call for decoding one position of a few sequences.
///
/// It replaces about thirty operations in generation and reads each weight once. The result has no gradient.
public struct FusedDecodeLayer {
  /// The weight of the norm before the attention, [h].
  public var attentionNorm: Tensor
  /// The query projection, [heads · size, h].
  public var query: Tensor
  /// The key projection, [key heads · size, h].
  public var key: Tensor
  /// The value projection, [key heads · size, h].
  public var value: Tensor
  /// The output projection, [h, heads · size].
  public var output: Tensor
  /// The weight of the norm before the MLP, [h].
  public var mlpNorm: Tensor
  /// The gate projection, [intermediate, h].
  public var gate: Tensor
  /// The up projection, [intermediate, h].
  public var up: Tensor
  /// The down projection, [h, intermediate].
  public var down: Tensor
  /// The epsilon of both norms.
  public var epsilon: Double

  /// Creates a layer from its weights.
  public init(
    attentionNorm: Tensor, query: Tensor, key: Tensor, value: Tensor, output: Tensor, mlpNorm: Tensor, gate: Tensor,
    up: Tensor, down: Tensor, epsilon: Double = 1e-6
  ) {
    (self.attentionNorm, self.query, self.key, self.value) = (attentionNorm, query, key, value)
    (self.output, self.mlpNorm, self.gate, self.up) = (output, mlpNorm, gate, up)
    (self.down, self.epsilon) = (down, epsilon)
  }

  /// Creates the fused form of a layer; nil if the kernel does not support `x` or the layer. The kernel requires SiLU,
  /// linear layers without biases, and weights of the same type as `x`.
  ///
  /// - Parameter anyRows: whether `x` may have more rows than are faster this way, which keeps them apart: see
  ///   ``keepingRowsApart(_:)``.
  public init?(
    for x: Tensor, attentionNorm: RMSNorm, query: Linear, key: Linear, value: Linear, output: Linear, mlpNorm: RMSNorm,
    gate: Linear, up: Linear, down: Linear, activation: Activation, anyRows: Bool = false
  ) {
    guard Self.supports(x, anyRows: anyRows), activation == .silu,
      [query, key, value, output, gate, up, down].allSatisfy({ $0.bias == nil && $0.weight.dtype == x.dtype })
    else { return nil }
    self.init(
      attentionNorm: attentionNorm.weight, query: query.weight, key: key.weight, value: value.weight,
      output: output.weight, mlpNorm: mlpNorm.weight, gate: gate.weight, up: up.weight, down: down.weight,
      epsilon: mlpNorm.epsilon)
  }

  /// Whether the kernel supports `x`: a few rows on the CPU, in float32 or bfloat16, without gradients.
  ///
  /// - Parameter anyRows: as in the initializer.
  public static func supports(_ x: Tensor, anyRows: Bool = false) -> Bool {
    let shape = x.shape
    return x.device == .cpu && (x.dtype == .float32 || x.dtype == .bfloat16)
      && (anyRows || shape[0] <= Int(ct_max_skinny_rows()))
      && shape.dropFirst().dropLast().allSatisfy { $0 == 1 } && !ct_grad_mode()
  }

  /// The keys and values of sequences of one length.
  public struct Cache {
    /// [sequences, key heads, capacity, size]; the new keys are written into it.
    public var keys: Tensor
    /// In the same layout.
    public var values: Tensor
    /// The number of positions so far.
    public var length: Int

    /// Creates a cache from its parts.
    public init(keys: Tensor, values: Tensor, length: Int) {
      (self.keys, self.values, self.length) = (keys, values, length)
    }
  }

  /// Returns the layer's output at the next position of each sequence.
  ///
  /// - Parameters:
  ///   - x: [sequences, h], or [sequences, 1, h]: the sequences of the first cache, then those of the second, ….
  ///   - caches: the earlier positions.
  ///   - angles: the cosines and sines of each cache's next position, [caches, size / 2] each, float32.
  public func callAsFunction(_ x: Tensor, caches: [Cache], angles: (cosine: Tensor, sine: Tensor)) -> Tensor {
    var layer = ct_decode_layer_weights(
      attention_norm: attentionNorm.handle, query: query.handle, key: key.handle, value: value.handle,
      output: output.handle, mlp_norm: mlpNorm.handle, gate: gate.handle, up: up.handle, down: down.handle,
      epsilon: epsilon)
    let handles = caches.map {
      ct_decode_cache(keys: $0.keys.handle, values: $0.values.handle, length: Int64($0.length))
    }
    return withExtendedLifetime((self, caches)) {
      .make {
        ct_decode_layer(
          $0, x.handle, &layer, handles, Int32(handles.count), angles.cosine.handle, angles.sine.handle)
      }
    }
  }
}
