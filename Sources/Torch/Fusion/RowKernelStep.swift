import CTorch

/// A step of the kernel for row-wise networks.
enum RowKernelStep {
  /// x·weightᵀ + bias, plus the saved value if `addsKept`.
  case linear(Tensor, Tensor?, addsKept: Bool = false)
  case layerNorm(Tensor, Tensor, Double)
  case rmsNorm(Tensor, Double)
  /// silu(x + shared).
  case silu(plus: Tensor)
  /// silu(gate)·up, where [gate, up] = x + bias.
  case halves(plus: Tensor)
  /// silu(x·gateᵀ)·(x·upᵀ).
  case gated(Tensor, Tensor)
  /// Saves x.
  case keep

  /// The weights of products.
  var matrices: [Tensor] {
    switch self {
    case .linear(let weight, _, _): [weight]
    case .gated(let gate, let up): [gate, up]
    default: []
    }
  }

  /// The form in the C interface. It is valid while its tensors are.
  ///
  /// - Parameter panels: the packed ``matrices``; nil if they are not packed.
  func call(panels: [Tensor]?) -> ct_row_step {
    func step(
      _ kind: ct_row_step_kind, _ weight: Tensor?, _ other: Tensor?, epsilon: Double = 0, addsKept: Bool = false
    ) -> ct_row_step {
      ct_row_step(
        kind: kind, weight: weight?.handle, other: other?.handle, epsilon: epsilon, adds_kept: addsKept ? 1 : 0,
        panels: panels?.first?.handle, other_panels: panels?.dropFirst().first?.handle)
    }
    return switch self {
    case .linear(let weight, let bias, let addsKept): step(CT_LINEAR, weight, bias, addsKept: addsKept)
    case .layerNorm(let weight, let bias, let epsilon): step(CT_LAYER_NORM, weight, bias, epsilon: epsilon)
    case .rmsNorm(let weight, let epsilon): step(CT_RMS_NORM, weight, nil, epsilon: epsilon)
    case .silu(let shared): step(CT_SILU_PLUS, nil, shared)
    case .halves(let bias): step(CT_HALVES, nil, bias)
    case .gated(let gate, let up): step(CT_GATED, gate, up)
    case .keep: step(CT_KEEP, nil, nil)
    }
  }

  /// The step in words.
  var name: String {
    switch self {
    case .linear(_, let bias, let addsKept):
      (bias == nil ? "linear" : "linear with bias") + (addsKept ? " + kept" : "")
    case .layerNorm: "layer norm"
    case .rmsNorm: "RMS norm"
    case .silu: "SiLU of sum"
    case .halves: "SwiGLU of halves"
    case .gated: "SwiGLU of layers"
    case .keep: "keep"
    }
  }
}
