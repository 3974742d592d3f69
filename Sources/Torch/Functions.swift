import CTorch

// Neural network functions. Those marked "fused" have a kernel in CTorch/kernels; the others call libtorch.

/// The matrix product over the last two dimensions. The other dimensions broadcast.
public func matmul(_ a: Tensor, _ b: Tensor) -> Tensor {
  .make { ct_matmul($0, a.handle, b.handle) }
}

/// x·weightᵀ + bias + residual, fused. x: […, in], weight: [out, in], bias: [out], residual: […, out] → […, out].
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor? = nil, plus residual: Tensor? = nil) -> Tensor {
  .make { ct_linear($0, x.handle, weight.handle, bias?.handle, residual?.handle) }
}

/// Chosen elements of x·weightᵀ. x: […, in], weight: [out, in], columns: […, m], int64 → […, m], float32.
public func linear(_ x: Tensor, weight: Tensor, at columns: Tensor) -> Tensor {
  .make { ct_linear_at($0, x.handle, weight.handle, columns.handle) }
}

/// Looks up rows of `weight`: ids […], weight [vocabulary, size] → […, size].
///
/// - Parameter padding: an id whose row receives no gradient.
public func embedding(_ ids: Tensor, weight: Tensor, padding: Int? = nil) -> Tensor {
  .make { ct_embedding($0, weight.handle, ids.handle, Int64(padding ?? -1)) }
}

/// (x − mean) / √(variance + ε) · weight + bias over the last dimension, fused.
public func layerNorm(_ x: Tensor, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-6) -> Tensor {
  .make { ct_layer_norm($0, x.handle, weight?.handle, bias?.handle, epsilon) }
}

/// x / √(mean(x²) + ε) · weight over the last dimension, fused.
public func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Double = 1e-6) -> Tensor {
  .make { ct_rms_norm($0, x.handle, weight.handle, epsilon) }
}

/// x·σ(x).
public func silu(_ x: Tensor) -> Tensor {
  .make { ct_silu($0, x.handle) }
}

/// silu(gate)·up, fused.
public func swiGLU(gate: Tensor, up: Tensor) -> Tensor {
  .make { ct_swiglu($0, gate.handle, up.handle) }
}

/// silu(gate)·up, where x + bias = [gate, up] along the last dimension, fused: […, 2·size] → […, size].
public func swiGLU(_ x: Tensor, plus bias: Tensor) -> Tensor {
  .make { ct_swiglu_halves($0, x.handle, bias.handle) }
}

/// silu(x + shared), fused. The summand is shared by samples, x: [samples, rows, size], shared: [rows, size]; or by
/// rows, x: […, size], shared: [size].
public func silu(_ x: Tensor, plus shared: Tensor) -> Tensor {
  .make { ct_bias_silu($0, x.handle, shared.handle) }
}

/// The softmax along a dimension.
public func softmax(_ x: Tensor, along dimension: Int = -1) -> Tensor {
  .make { ct_softmax($0, x.handle, Int64(dimension)) }
}

/// The logarithm of the softmax along a dimension.
public func logSoftmax(_ x: Tensor, along dimension: Int = -1) -> Tensor {
  .make { ct_log_softmax($0, x.handle, Int64(dimension)) }
}

/// Rotary position embedding in Llama's half-split order, fused.
///
/// - Parameters:
///   - x: [batch, length, heads, size].
///   - cosine: the cosines of each position's angles, [length, size / 2], float32.
///   - sine: the sines, in the same layout.
public func rotary(_ x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor {
  .make { ct_rotary($0, x.handle, cosine.handle, sine.handle) }
}

/// softmax(query·keyᵀ / √size)·value, fused. All are [batch, heads, length, size]; key and value may have fewer heads,
/// each shared by an equal number of query heads.
///
/// - Parameters:
///   - causal: whether each position attends only to itself and earlier positions. If the query is shorter than the key,
///     it consists of the last positions.
///   - first: with `causal`, the first position to which each query attends, [batch, queries], int64; nil means 0.
public func attention(
  query: Tensor, key: Tensor, value: Tensor, causal: Bool = false, from first: Tensor? = nil
) -> Tensor {
  precondition(causal || first == nil, "attention: 'from' requires causal attention")
  return .make { ct_attention($0, query.handle, key.handle, value.handle, causal, first?.handle) }
}

/// The mean cross-entropy of softmax(hidden·weightᵀ) at `targets`, fused: logits exist for one block of rows at a time.
///
/// - Parameters:
///   - hidden: [rows, size].
///   - weight: [vocabulary, size].
///   - targets: [rows], int64; rows with −100 are excluded from the mean.
/// - Returns: a scalar, float32, in nats.
public func linearCrossEntropy(_ hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor {
  .make { ct_linear_cross_entropy($0, hidden.handle, weight.handle, targets.handle) }
}

/// The index of the largest entry in each row of hidden·weightᵀ, fused: the product is never stored. For many calls
/// with the same matrix, ``QuantizedArgmax`` is faster.
///
/// - Returns: [rows], int64, without a gradient. If several entries are equal, the first one wins.
public func linearArgmax(_ hidden: Tensor, weight: Tensor) -> Tensor {
  .make { ct_linear_argmax($0, hidden.handle, weight.handle, nil) }
}
