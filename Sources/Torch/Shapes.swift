import CTorch

// Views and rearrangements. Negative dimensions count from the end: −1 is the last.

extension Tensor {
  /// Reshapes the tensor. One length may be −1, which is inferred from the others.
  public func reshaped(_ shape: [Int]) -> Tensor {
    .make { ct_reshape($0, handle, shape.map(Int64.init), Int32(shape.count)) }
  }

  /// Reshapes the tensor. One length may be −1, which is inferred from the others.
  public func reshaped(_ shape: Int...) -> Tensor { reshaped(shape) }

  /// Swaps two dimensions.
  public func transposed(_ first: Int = -2, _ second: Int = -1) -> Tensor {
    .make { ct_transpose($0, handle, Int64(first), Int64(second)) }
  }

  /// Broadcasts dimensions of length 1 to the given lengths without copying; −1 keeps a length.
  public func expanded(_ shape: Int...) -> Tensor {
    .make { ct_expand($0, handle, shape.map(Int64.init), Int32(shape.count)) }
  }

  /// Slices a dimension to `range`.
  public func narrowed(_ dimension: Int, _ range: Range<Int>) -> Tensor {
    .make { ct_narrow($0, handle, Int64(dimension), Int64(range.lowerBound), Int64(range.count)) }
  }

  /// Selects one index of a dimension, and removes the dimension.
  public func selected(_ dimension: Int, _ index: Int) -> Tensor {
    .make { ct_select($0, handle, Int64(dimension), Int64(index)) }
  }

  /// Selects indices of a dimension; `indices` is a vector of int64.
  public func gathered(_ dimension: Int, _ indices: Tensor) -> Tensor {
    .make { ct_index_select($0, handle, Int64(dimension), indices.handle) }
  }

  /// The elements at indices of the last dimension; the other dimensions broadcast.
  ///
  /// - Parameter indices: […, m], int64.
  /// - Returns: […, m].
  public func elements(at indices: Tensor) -> Tensor { .make { ct_take_along($0, handle, indices.handle) } }

  /// Splits a dimension into `count` equal parts.
  public func split(_ count: Int, along dimension: Int = -1) -> [Tensor] {
    let length = shape[dimension < 0 ? rank + dimension : dimension]
    precondition(
      count > 0 && length % count == 0, "split: a dimension of length \(length) is not divisible by \(count)")
    let part = length / count
    return (0..<count).map { narrowed(dimension, $0 * part..<($0 + 1) * part) }
  }

  /// Concatenates tensors along an existing dimension.
  public static func concatenated(_ tensors: [Tensor], along dimension: Int = 0) -> Tensor {
    withExtendedLifetime(tensors) {
      make { ct_cat($0, tensors.map { Optional($0.handle) }, Int32(tensors.count), Int64(dimension)) }
    }
  }

  /// Stacks tensors along a new dimension.
  public static func stacked(_ tensors: [Tensor], along dimension: Int = 0) -> Tensor {
    withExtendedLifetime(tensors) {
      make { ct_stack($0, tensors.map { Optional($0.handle) }, Int32(tensors.count), Int64(dimension)) }
    }
  }
}
