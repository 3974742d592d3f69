/// The recorded operations of a row-wise network, in order. Each computes one value.
final class RowTrace {
  /// The weights of a linear layer.
  struct Layer {
    /// [outputs, inputs].
    let weight: Tensor
    /// [outputs].
    let bias: Tensor?
  }

  /// An operation. Integers are the indices of the values that it reads.
  enum Operation {
    case input
    case linear(Int, Layer)
    case layerNorm(Int, weight: Tensor, bias: Tensor, epsilon: Double)
    case rmsNorm(Int, weight: Tensor, epsilon: Double)
    case activation(Int, Activation)
    case half(Int, Int)
    case shifted(Int, by: Tensor)
    case sum(Int, Int)
    case product(Int, Int)

    var operands: [Int] {
      switch self {
      case .input: []
      case .linear(let x, _), .layerNorm(let x, _, _, _), .rmsNorm(let x, _, _), .activation(let x, _), .half(let x, _),
        .shifted(let x, _):
        [x]
      case .sum(let a, let b), .product(let a, let b): [a, b]
      }
    }
  }

  /// The recorded operations; the first is the input.
  private(set) var operations: [Operation] = [.input]

  func record(_ operation: Operation) -> Rows {
    operations.append(operation)
    return Rows(trace: self, index: operations.count - 1)
  }
}
