import CTorch

/// Layers that see each row by itself, one after the other.
///
/// ```swift
/// let network = RowNetwork(
///   [.keep, .norm(norm), .gated(gate: gate, up: up, activation: .silu), .linear(down, plusKept: true)])
/// let y = network(x)  // […, inputs] → […, outputs]
/// ```
///
/// Without gradients, in bfloat16 and on a processor with tiles of it (AMX), many rows go through all steps in one call:
/// each thread takes its rows from the first to the last. Elsewhere a step is an operation.
public struct RowNetwork {
  /// What is done to each row.
  public enum Step {
    /// x·weightᵀ + bias, and where asked for the row that ``keep`` kept.
    case linear(weight: Tensor, bias: Tensor?, plusKept: Bool = false)
    /// ``layerNorm(_:weight:bias:epsilon:)``.
    case layerNorm(weight: Tensor, bias: Tensor, epsilon: Double)
    /// ``rmsNorm(_:weight:epsilon:)``.
    case rmsNorm(weight: Tensor, epsilon: Double)
    /// silu(x + summand): [size], the same for all rows, or [rows, size] for x of [samples, rows, size].
    case silu(plus: Tensor)
    /// silu of a layer.
    case linearSiLU(Linear)
    /// silu(gate)·up, where a layer makes [gate, up]; the layer has a bias.
    case linearSwiGLU(Linear)
    /// activation(gate(x))·up(x).
    case gated(gate: Linear, up: Linear, activation: Activation)
    /// Keeps the row for a later step; the last one kept counts.
    case keep
  }

  private let steps: [Step]

  /// Steps in their order.
  public init(_ steps: [Step]) { self.steps = steps }

  /// What becomes of the rows of `x`, […, size] → […, outputs].
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let fused = steps.flatMap(\.fused)
    return withExtendedLifetime(steps) {
      ct_row_network_serves(x.handle, fused, Int32(fused.count)) != 0
        ? .make { ct_row_network($0, x.handle, fused, Int32(fused.count)) } : stepByStep(x)
    }
  }

  /// The same, an operation a step.
  package func stepByStep(_ x: Tensor) -> Tensor {
    var (x, kept) = (x, nil as Tensor?)
    for step in steps {
      switch step {
      case .linear(let weight, let bias, let plusKept):
        x = linear(x, weight: weight, bias: bias, plus: plusKept ? kept : nil)
      case .layerNorm(let weight, let bias, let epsilon):
        x = layerNorm(x, weight: weight, bias: bias, epsilon: epsilon)
      case .rmsNorm(let weight, let epsilon): x = rmsNorm(x, weight: weight, epsilon: epsilon)
      case .silu(let summand): x = silu(x, plus: summand)
      case .linearSiLU(let layer): x = layer.silu(x)
      case .linearSwiGLU(let layer): x = layer.swiGLU(x)
      case .gated(let gate, let up, let activation): x = activation(gate: gate(x), up: up(x))
      case .keep: kept = x
      }
    }
    return x
  }
}

extension RowNetwork.Step {
  /// A layer, and where asked for the row that was kept.
  public static func linear(_ layer: Linear, plusKept: Bool = false) -> Self {
    .linear(weight: layer.weight, bias: layer.bias, plusKept: plusKept)
  }

  /// A norm.
  public static func norm(_ norm: LayerNorm) -> Self {
    .layerNorm(weight: norm.weight, bias: norm.bias, epsilon: norm.epsilon)
  }

  /// A norm.
  public static func norm(_ norm: RMSNorm) -> Self { .rmsNorm(weight: norm.weight, epsilon: norm.epsilon) }

  /// As the C interface has it.
  fileprivate var fused: [ct_row_step] {
    func step(
      _ kind: ct_row_step_kind, _ weight: Tensor? = nil, _ other: Tensor? = nil, epsilon: Double = 0,
      plusKept: Bool = false
    ) -> ct_row_step {
      ct_row_step(
        kind: kind, weight: weight?.handle, other: other?.handle, epsilon: epsilon, adds_kept: plusKept ? 1 : 0)
    }
    return switch self {
    case .linear(let weight, let bias, let plusKept): [step(CT_LINEAR, weight, bias, plusKept: plusKept)]
    case .layerNorm(let weight, let bias, let epsilon): [step(CT_LAYER_NORM, weight, bias, epsilon: epsilon)]
    case .rmsNorm(let weight, let epsilon): [step(CT_RMS_NORM, weight, epsilon: epsilon)]
    case .silu(let summand): [step(CT_SILU_PLUS, nil, summand)]
    case .linearSiLU(let layer): [step(CT_LINEAR, layer.weight), step(CT_SILU_PLUS, nil, layer.bias)]
    case .linearSwiGLU(let layer): [step(CT_LINEAR, layer.weight), step(CT_HALVES, nil, layer.bias)]
    case .gated(let gate, let up, let activation):
      activation == .silu && gate.bias == nil && up.bias == nil
        ? [step(CT_GATED, gate.weight, up.weight)] : [step(CT_UNFUSED)]
    case .keep: [step(CT_KEEP)]
    }
  }
}
