/// Rows of features inside ``rowwise(_:fusing:_:)``, where a network is recorded before it runs.
///
/// Layers take and return this type as they do ``Tensor``, so a recorded network reads like any other. Every operation
/// sees each row by itself: linear layers, norms, activations, sums, products and halves. Shapes in comments are those
/// of the tensors that the rows become.
public struct Rows {
  let trace: RowTrace
  /// The position of the value among the recorded operations.
  let index: Int
}

/// How much of a row-wise network may run in one kernel.
public enum RowFusion {
  /// The whole network where the processor supports it. Intermediate values then stay in float32, so results differ from
  /// those with gradients by the rounding of bfloat16.
  case chain
  /// Operations next to each other only: a linear layer with its residual, a bias with SiLU, SwiGLU. Results are the
  /// same with and without gradients.
  case neighbors
}

/// Applies a network that sees each row of `x` by itself.
///
/// ```swift
/// let y = rowwise(x) { x in x + mlp(norm(x)) }  // […, h]
/// ```
///
/// The closure runs once and records its operations, which run after it. Without gradients, in bfloat16, for many rows
/// and on a processor with AMX, a chain of operations runs as one kernel: each thread carries its rows from the first
/// operation to the last. Otherwise the operations run one after the other. A recorded network that the kernel cannot
/// express gives the same result, operation by operation.
///
/// - Parameters:
///   - x: […, inputs].
///   - fusing: how much may run in one kernel.
///   - network: called once. Operations on tensors inside it run at once.
/// - Returns: […, outputs].
public func rowwise(_ x: Tensor, fusing: RowFusion = .chain, _ network: (Rows) -> Rows) -> Tensor {
  RowPlan(network)(x, fusing: fusing)
}

// MARK: Operations

/// x·weightᵀ + bias. x: […, in], weight: [out, in], bias: [out] → […, out].
public func linear(_ x: Rows, weight: Tensor, bias: Tensor? = nil) -> Rows {
  x.trace.record(.linear(x.index, RowTrace.Layer(weight: weight, bias: bias)))
}

/// (x − mean) / √(variance + ε) · weight + bias over each row.
public func layerNorm(_ x: Rows, weight: Tensor, bias: Tensor, epsilon: Double) -> Rows {
  x.trace.record(.layerNorm(x.index, weight: weight, bias: bias, epsilon: epsilon))
}

/// x / √(mean(x²) + ε) · weight over each row.
public func rmsNorm(_ x: Rows, weight: Tensor, epsilon: Double) -> Rows {
  x.trace.record(.rmsNorm(x.index, weight: weight, epsilon: epsilon))
}

/// x·σ(x).
public func silu(_ x: Rows) -> Rows { Activation.silu(x) }

extension Activation {
  /// The function of each element.
  public func callAsFunction(_ x: Rows) -> Rows { x.trace.record(.activation(x.index, self)) }
}

extension Rows {
  /// The sums of the elements.
  public static func + (a: Rows, b: Rows) -> Rows { a.trace.record(.sum(a.index, b.index(in: a.trace))) }

  /// The products of the elements. `activation(gate) * up` runs as one operation.
  public static func * (a: Rows, b: Rows) -> Rows { a.trace.record(.product(a.index, b.index(in: a.trace))) }

  /// Adds a tensor that is the same for all rows, [size], or for all samples of a position, [positions, size] to
  /// [samples, positions, size].
  public static func + (a: Rows, shared: Tensor) -> Rows { a.trace.record(.shifted(a.index, by: shared)) }

  /// The first and the second half of each row: […, 2·size] → […, size] each.
  public func halves() -> (first: Rows, second: Rows) {
    (trace.record(.half(index, 0)), trace.record(.half(index, 1)))
  }

  private func index(in trace: RowTrace) -> Int {
    precondition(self.trace === trace, "the rows belong to different calls of rowwise")
    return index
  }
}
