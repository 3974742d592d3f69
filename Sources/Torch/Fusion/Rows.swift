/// Rows of features inside ``rowwise(_:fusing:packed:_:)``, which records a network before it runs.
///
/// Layers accept and return this type as they do ``Tensor``, so a recorded network reads like any other. Every
/// operation processes each row independently: linear layers, norms, activations, sums, products and halves. Shapes in
/// comments are those of the resulting tensors.
public struct Rows {
  let trace: RowTrace
  /// The position of the value among the recorded operations.
  let index: Int
}

/// The extent of fusion in a row-wise network.
public enum RowFusion {
  /// Fuses the whole network if possible. Intermediate values then stay in float32, so results in bfloat16 differ by
  /// rounding from those computed with gradients.
  case chain
  /// Fuses adjacent operations only: a linear layer with its residual, a bias with SiLU, SwiGLU. Results are the same
  /// with and without gradients.
  case neighbors
}

/// Applies a network that processes each row of `x` independently.
///
/// ```swift
/// let y = rowwise(x) { x in x + mlp(norm(x)) }  // […, h]
/// ```
///
/// The closure runs once and records its operations, which run afterwards. Without gradients on the CPU, a chain of
/// operations runs as one kernel: with many rows each thread processes its rows from the first operation to the last,
/// and with a few rows and `packed` the threads divide the outputs of each layer. Otherwise, or if the kernel cannot
/// express the network, the operations run one after the other.
///
/// - Parameters:
///   - x: […, inputs].
///   - fusing: the extent of fusion.
///   - packed: keeps packed copies of the weights of this network; nil if there will be many rows.
///   - network: called once. Operations on tensors inside it run immediately.
/// - Returns: […, outputs].
public func rowwise(
  _ x: Tensor, fusing: RowFusion = .chain, packed: PackedRowWeights? = nil, _ network: (Rows) -> Rows
) -> Tensor {
  RowPlan(network)(x, fusing: fusing, packed: packed)
}

// MARK: Operations

/// x·weightᵀ + bias. x: […, in], weight: [out, in], bias: [out] → […, out].
public func linear(_ x: Rows, weight: Tensor, bias: Tensor? = nil) -> Rows {
  x.trace.record(.linear(x.index, RowTrace.Layer(weight: weight, bias: bias)))
}

/// (x − mean) / √(variance + ε) · weight + bias over each row.
public func layerNorm(_ x: Rows, weight: Tensor, bias: Tensor, epsilon: Double = 1e-6) -> Rows {
  x.trace.record(.layerNorm(x.index, weight: weight, bias: bias, epsilon: epsilon))
}

/// x / √(mean(x²) + ε) · weight over each row.
public func rmsNorm(_ x: Rows, weight: Tensor, epsilon: Double = 1e-6) -> Rows {
  x.trace.record(.rmsNorm(x.index, weight: weight, epsilon: epsilon))
}

/// x·σ(x).
public func silu(_ x: Rows) -> Rows { Activation.silu(x) }

extension Activation {
  /// Applies the function to each element.
  public func callAsFunction(_ x: Rows) -> Rows { x.trace.record(.activation(x.index, self)) }
}

extension Rows {
  /// Elementwise addition.
  public static func + (a: Rows, b: Rows) -> Rows { a.trace.record(.sum(a.index, b.index(in: a.trace))) }

  /// Elementwise multiplication. `activation(gate) * up` runs as one operation.
  public static func * (a: Rows, b: Rows) -> Rows { a.trace.record(.product(a.index, b.index(in: a.trace))) }

  /// Adds a tensor that all rows share, [size], or that all samples share: [positions, size] is added to
  /// [samples, positions, size].
  public static func + (a: Rows, shared: Tensor) -> Rows { a.trace.record(.shifted(a.index, by: shared)) }

  /// The first and the second half of each row: […, 2·size] → […, size] each.
  public func halves() -> (first: Rows, second: Rows) {
    (trace.record(.half(index, 0)), trace.record(.half(index, 1)))
  }

  private func index(in trace: RowTrace) -> Int {
    precondition(self.trace === trace, "rowwise: the rows belong to different calls")
    return index
  }
}
