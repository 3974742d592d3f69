import CTorch

/// ``linearArgmax(_:weight:)`` in a matrix that stays as it is.
///
/// On processors that multiply numbers of eight bits (AMX, or AVX-512 VNNI) it keeps the matrix once more in those, a
/// quarter of float32's size: all but a few rows are ruled out by that, with a proven bound, and the few are compared
/// exactly. So the answers are those of ``linearArgmax(_:weight:)``.
public struct VocabularySearch {
  /// The matrix, [vocabulary, size].
  public let weight: Tensor
  private let coarse: (numbers: Tensor, bounds: Tensor)?
  private let changes: Int64

  /// - Parameter weight: [vocabulary, size]. It must not change afterwards.
  public init(_ weight: Tensor) {
    self.weight = weight
    changes = ct_changes(weight.handle)
    var handles = ct_coarse_weight(numbers: nil, bounds: nil)
    check(ct_coarse_weight_new(&handles, weight.handle))
    if let numbers = handles.numbers, let bounds = handles.bounds {
      coarse = (Tensor(owning: numbers), Tensor(owning: bounds))
    } else {
      coarse = nil
    }
  }

  /// Whether this is a search of `other` as it is now. Changes by an ``Optimizer`` are not noticed.
  public func isCurrent(for other: Tensor) -> Bool {
    ct_is_same(weight.handle, other.handle) != 0 && ct_changes(other.handle) == changes
  }

  /// The index of the row of the matrix whose product with each row of `hidden` is the largest.
  ///
  /// - Parameter hidden: [rows, size].
  /// - Returns: [rows], int64; the first of equals. It carries no gradient.
  public func callAsFunction(_ hidden: Tensor) -> Tensor {
    guard let coarse else { return linearArgmax(hidden, weight: weight) }
    var handles = ct_coarse_weight(numbers: coarse.numbers.handle, bounds: coarse.bounds.handle)
    return .make { ct_linear_argmax($0, hidden.handle, weight.handle, &handles) }
  }
}
