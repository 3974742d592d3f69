import CTorch

// The functions that networks are made of. Those with a kernel of our own (CTorch/kernels) say so; the others are
// libtorch's.

/// The matrix product over the last two dimensions; the others broadcast.
public func matmul(_ a: Tensor, _ b: Tensor) -> Tensor {
  .make { ct_matmul($0, a.handle, b.handle) }
}

/// x·weightᵀ + bias + residual, fused. x: […, in], weight: [out, in], bias: [out], residual: […, out] → […, out].
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor? = nil, plus residual: Tensor? = nil) -> Tensor {
  .make { ct_linear($0, x.handle, weight.handle, bias?.handle, residual?.handle) }
}

/// The rows of `weight`, [vocabulary, size], that `ids` names → […, size].
///
/// - Parameter padding: an id whose row gets no gradient.
public func embedding(_ ids: Tensor, weight: Tensor, padding: Int? = nil) -> Tensor {
  .make { ct_embedding($0, weight.handle, ids.handle, Int64(padding ?? -1)) }
}

/// (x − mean) / √(variance + ε) · weight + bias over the last dimension, fused.
public func layerNorm(_ x: Tensor, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double) -> Tensor {
  .make { ct_layer_norm($0, x.handle, weight?.handle, bias?.handle, epsilon) }
}

/// x / √(mean(x²) + ε) · weight over the last dimension, fused.
public func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Double) -> Tensor {
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

/// silu(x + shared), fused. x: [samples, rows, size], shared: [rows, size], the same for all samples; or x: […, size],
/// shared: [size], the same for all rows.
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
///   - cosine: of each position's angles, [length, size / 2], float32.
///   - sine: likewise.
public func rotary(_ x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor {
  .make { ct_rotary($0, x.handle, cosine.handle, sine.handle) }
}

/// softmax(query·keyᵀ / √size)·value, fused. [batch, heads, length, size]; key and value may have fewer heads, each shared by
/// as many query heads.
///
/// - Parameters:
///   - causal: each position sees itself and those before it; query and key then have one length.
///   - first: with `causal`, the first position that each position sees, [batch, length], int64; nil for the very first.
public func attention(query: Tensor, key: Tensor, value: Tensor, causal: Bool, from first: Tensor? = nil) -> Tensor {
  precondition(causal || first == nil, "only a causal sight has a beginning")
  return .make { ct_attention($0, query.handle, key.handle, value.handle, causal, first?.handle) }
}

/// The mean cross-entropy of softmax(hidden·weightᵀ) at `targets`, fused in blocks that never hold all logits.
///
/// - Parameters:
///   - hidden: [rows, size].
///   - weight: [vocabulary, size].
///   - targets: [rows], int64; −100 leaves a row out of the mean.
/// - Returns: a scalar, float32, in nats.
public func linearCrossEntropy(_ hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor {
  .make { ct_linear_cross_entropy($0, hidden.handle, weight.handle, targets.handle) }
}

/// The index of the largest entry in each row of hidden·weightᵀ, in blocks that never hold all of it. Where many calls
/// search one matrix, ``QuantizedArgmax`` is faster.
///
/// - Returns: [rows], int64; the first of equals. It carries no gradient.
public func linearArgmax(_ hidden: Tensor, weight: Tensor) -> Tensor {
  .make { ct_linear_argmax($0, hidden.handle, weight.handle, nil) }
}
