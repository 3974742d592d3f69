/// One call in the plan of a row-wise network. It covers one or more recorded operations.
struct RowStep {
  /// The recorded values that the step reads: the rows, and for some steps a second value.
  let operands: [Int]
  /// The step's form in the fused kernel, in which the second operand is a residual; nil if there is none.
  let kernel: [RowKernelStep]?
  /// Computes the step from its operands with tensor operations.
  let run: ([Tensor]) -> Tensor

  init(_ operands: [Int], kernel: [RowKernelStep]? = nil, run: @escaping ([Tensor]) -> Tensor) {
    (self.operands, self.kernel, self.run) = (operands, kernel, run)
  }
}

/// Selects the steps of a recorded network. Adjacent operations become one step if Torch has a fused function for them
/// and no other operation reads the intermediate values.
struct RowStepSelection {
  private let operations: [RowTrace.Operation]
  private var uses: [Int]

  init(_ operations: [RowTrace.Operation], result: Int) {
    self.operations = operations
    uses = Array(repeating: 0, count: operations.count)
    for operand in operations.flatMap(\.operands) + [result] { uses[operand] += 1 }
  }

  /// The step that computes a value; nil for the input.
  func step(computing index: Int) -> RowStep? {
    switch operations[index] {
    case .input: nil
    case .linear(let x, let layer):
      RowStep([x], kernel: [.linear(layer.weight, layer.bias)]) {
        linear($0[0], weight: layer.weight, bias: layer.bias)
      }
    case .layerNorm(let x, let weight, let bias, let epsilon):
      RowStep([x], kernel: [.layerNorm(weight, bias, epsilon)]) {
        layerNorm($0[0], weight: weight, bias: bias, epsilon: epsilon)
      }
    case .rmsNorm(let x, let weight, let epsilon):
      RowStep([x], kernel: [.rmsNorm(weight, epsilon)]) { rmsNorm($0[0], weight: weight, epsilon: epsilon) }
    case .activation(let x, let activation):
      biasSiLU(x, activation) ?? RowStep([x]) { activation($0[0]) }
    case .half(let x, let half): RowStep([x]) { $0[0].split(2)[half] }
    case .shifted(let x, let shared): RowStep([x]) { $0[0] + shared }
    case .sum(let a, let b):
      // In x + f(x) both operands may be linear layers; the later one adds the other as its residual.
      residualLayer(max(a, b), plus: min(a, b)) ?? residualLayer(min(a, b), plus: max(a, b))
        ?? RowStep([a, b]) { $0[0] + $0[1] }
    case .product(let a, let b): gated(a, b) ?? RowStep([a, b]) { $0[0] * $0[1] }
    }
  }

  /// x·weightᵀ + bias + residual.
  private func residualLayer(_ value: Int, plus residual: Int) -> RowStep? {
    guard case .linear(let x, let layer)? = usedOnce(value) else { return nil }
    return RowStep([x, residual], kernel: [.linear(layer.weight, layer.bias, addsKept: true)]) {
      linear($0[0], weight: layer.weight, bias: layer.bias, plus: $0[1])
    }
  }

  /// silu(x·weightᵀ + bias) or silu(x + shared).
  private func biasSiLU(_ value: Int, _ activation: Activation) -> RowStep? {
    guard activation == .silu else { return nil }
    switch usedOnce(value) {
    case .linear(let x, let layer)?:
      guard let bias = layer.bias else { return nil }
      return RowStep([x], kernel: [.linear(layer.weight, nil), .silu(plus: bias)]) {
        silu(linear($0[0], weight: layer.weight), plus: bias)
      }
    case .shifted(let x, let shared)?:
      return RowStep([x], kernel: [.silu(plus: shared)]) { silu($0[0], plus: shared) }
    default: return nil
    }
  }

  /// activation(gate)·up, fused with the layers that compute gate and up if possible.
  private func gated(_ value: Int, _ up: Int) -> RowStep? {
    guard case .activation(let gate, let activation)? = usedOnce(value) else { return nil }
    return (activation == .silu ? halvedSwiGLU(gate, up) ?? layerSwiGLU(gate, up) : nil)
      ?? RowStep([gate, up]) { activation(gate: $0[0], up: $0[1]) }
  }

  /// silu(gate)·up, where one layer with a bias computes [gate, up].
  private func halvedSwiGLU(_ gate: Int, _ up: Int) -> RowStep? {
    guard case .half(let both, 0)? = usedOnce(gate), case .half(both, 1)? = usedOnce(up), uses[both] == 2,
      case .linear(let x, let layer) = operations[both], let bias = layer.bias
    else { return nil }
    return RowStep([x], kernel: [.linear(layer.weight, nil), .halves(plus: bias)]) {
      swiGLU(linear($0[0], weight: layer.weight), plus: bias)
    }
  }

  /// silu(gate)·up, where two layers without biases compute gate and up from the same rows.
  private func layerSwiGLU(_ gate: Int, _ up: Int) -> RowStep? {
    guard case .linear(let x, let gate)? = usedOnce(gate), case .linear(x, let up)? = usedOnce(up),
      gate.bias == nil, up.bias == nil
    else { return nil }
    return RowStep([x], kernel: [.gated(gate.weight, up.weight)]) {
      swiGLU(gate: linear($0[0], weight: gate.weight), up: linear($0[0], weight: up.weight))
    }
  }

  /// The operation that computes a value, if the value is read exactly once.
  private func usedOnce(_ index: Int) -> RowTrace.Operation? { uses[index] == 1 ? operations[index] : nil }
}
