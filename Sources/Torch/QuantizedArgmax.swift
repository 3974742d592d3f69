import CTorch

/// A faster ``linearArgmax(_:weight:)`` for many calls with the same matrix.
///
/// On the CPU it also stores the matrix quantized to int8, a quarter of the size of float32. An int8 first pass with a
/// proven error bound excludes all but a few rows, which are then compared exactly. The results are identical to those
/// of ``linearArgmax(_:weight:)``.
public struct QuantizedArgmax {
  /// The matrix, [vocabulary, size].
  public let weight: Tensor
  private let quantized: (numbers: Tensor, bounds: Tensor)?
  private let state: TensorState

  /// Quantizes a matrix.
  ///
  /// - Parameter weight: [vocabulary, size]. It must not change afterwards.
  public init(_ weight: Tensor) {
    self.weight = weight
    state = TensorState(of: weight)
    var handles = ct_int8_weight(numbers: nil, bounds: nil)
    check(ct_int8_weight_new(&handles, weight.handle))
    if let numbers = handles.numbers, let bounds = handles.bounds {
      quantized = (Tensor(owning: numbers), Tensor(owning: bounds))
    } else {
      quantized = nil
    }
  }

  /// Whether the quantized matrix is `other` in its current state.
  public func isCurrent(for other: Tensor) -> Bool { state.isCurrent(for: other) }

  /// The index of the row of the matrix whose product with each row of `hidden` is the largest.
  ///
  /// - Parameter hidden: [rows, size].
  /// - Returns: [rows], int64, without a gradient. If several products are equal, the first one wins.
  public func callAsFunction(_ hidden: Tensor) -> Tensor {
    guard let quantized else { return linearArgmax(hidden, weight: weight) }
    var handles = ct_int8_weight(numbers: quantized.numbers.handle, bounds: quantized.bounds.handle)
    return .make { ct_linear_argmax($0, hidden.handle, weight.handle, &handles) }
  }
}
