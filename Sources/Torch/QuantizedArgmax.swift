import CTorch

/// ``linearArgmax(_:weight:)`` for many calls with one matrix.
///
/// On processors with products of int8 (AMX, or AVX-512 VNNI) it also keeps the matrix quantized to eight bits, a quarter
/// of the size of float32. Products in eight bits rule out all but a few rows, with a proven bound, and those few are
/// compared exactly: the results are those of ``linearArgmax(_:weight:)``.
public struct QuantizedArgmax {
  /// The matrix, [vocabulary, size].
  public let weight: Tensor
  private let quantized: (numbers: Tensor, bounds: Tensor)?
  private let changes: Int64

  /// - Parameter weight: [vocabulary, size]. It must not change afterwards.
  public init(_ weight: Tensor) {
    self.weight = weight
    changes = ct_changes(weight.handle)
    var handles = ct_int8_weight(numbers: nil, bounds: nil)
    check(ct_int8_weight_new(&handles, weight.handle))
    if let numbers = handles.numbers, let bounds = handles.bounds {
      quantized = (Tensor(owning: numbers), Tensor(owning: bounds))
    } else {
      quantized = nil
    }
  }

  /// Whether this is the argmax over `other` as it is now. Changes by an ``Optimizer`` are not noticed.
  public func isCurrent(for other: Tensor) -> Bool {
    ct_is_same(weight.handle, other.handle) != 0 && ct_changes(other.handle) == changes
  }

  /// The index of the row of the matrix whose product with each row of `hidden` is the largest.
  ///
  /// - Parameter hidden: [rows, size].
  /// - Returns: [rows], int64; the first of equals. It carries no gradient.
  public func callAsFunction(_ hidden: Tensor) -> Tensor {
    guard let quantized else { return linearArgmax(hidden, weight: weight) }
    var handles = ct_int8_weight(numbers: quantized.numbers.handle, bounds: quantized.bounds.handle)
    return .make { ct_linear_argmax($0, hidden.handle, weight.handle, &handles) }
  }
}
