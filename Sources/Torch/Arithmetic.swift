import CTorch

// Elementwise arithmetic and reductions. Shapes broadcast as in NumPy; integers combined with a number become float32.

extension Tensor {
  /// Elementwise addition.
  public static func + (a: Tensor, b: Tensor) -> Tensor { make { ct_add($0, a.handle, b.handle) } }
  /// Elementwise subtraction.
  public static func - (a: Tensor, b: Tensor) -> Tensor { make { ct_sub($0, a.handle, b.handle) } }
  /// Elementwise multiplication; for matrix products see ``matmul(_:_:)``.
  public static func * (a: Tensor, b: Tensor) -> Tensor { make { ct_mul($0, a.handle, b.handle) } }
  /// Elementwise division; quotients of integers are float32.
  public static func / (a: Tensor, b: Tensor) -> Tensor { make { ct_div($0, a.handle, b.handle) } }
  /// Adds `b` to each element.
  public static func + (a: Tensor, b: Double) -> Tensor { make { ct_add_scalar($0, a.handle, b) } }
  /// Subtracts `b` from each element.
  public static func - (a: Tensor, b: Double) -> Tensor { make { ct_add_scalar($0, a.handle, -b) } }
  /// Subtracts each element from `a`.
  public static func - (a: Double, b: Tensor) -> Tensor { -b + a }
  /// Multiplies each element by `b`.
  public static func * (a: Tensor, b: Double) -> Tensor { make { ct_mul_scalar($0, a.handle, b) } }
  /// Multiplies each element by `a`.
  public static func * (a: Double, b: Tensor) -> Tensor { make { ct_mul_scalar($0, b.handle, a) } }
  /// Multiplies each element by 1/`b`, which rounds once more than a division.
  public static func / (a: Tensor, b: Double) -> Tensor { make { ct_mul_scalar($0, a.handle, 1 / b) } }
  /// Negates each element; integers become float32.
  public static prefix func - (a: Tensor) -> Tensor { make { ct_mul_scalar($0, a.handle, -1) } }

  /// Adds `scale`·`other` to the elements in place.
  public func addInPlace(_ other: Tensor, scale: Double = 1) { check(ct_add_(handle, other.handle, scale)) }

  /// Multiplies the elements by `factor` in place.
  public func multiplyInPlace(_ factor: Double) { check(ct_mul_scalar_(handle, factor)) }

  /// eˣ of each element.
  public func exp() -> Tensor { .make { ct_exp($0, handle) } }

  /// The natural logarithm of each element.
  public func log() -> Tensor { .make { ct_log($0, handle) } }

  /// The square root of each element.
  public func squareRoot() -> Tensor { .make { ct_sqrt($0, handle) } }

  /// x² of each element.
  public func squared() -> Tensor { .make { ct_square($0, handle) } }

  /// |x| of each element.
  public func magnitude() -> Tensor { .make { ct_abs($0, handle) } }

  /// The hyperbolic tangent of each element.
  public func tanh() -> Tensor { .make { ct_tanh($0, handle) } }

  /// Raises each element to the given power.
  public func power(_ exponent: Double) -> Tensor { .make { ct_pow_scalar($0, handle, exponent) } }

  /// Replaces elements below `minimum` with `minimum`.
  public func clamped(minimum: Double) -> Tensor { .make { ct_clamp_min($0, handle, minimum) } }

  /// Compares elementwise for equality; returns booleans.
  public func equals(_ other: Tensor) -> Tensor { .make { ct_eq($0, handle, other.handle) } }

  /// Whether each element equals `value`; returns booleans.
  public func equals(_ value: Double) -> Tensor { .make { ct_eq_scalar($0, handle, value) } }

  /// Whether each element is less than `value`; returns booleans.
  public func isLess(than value: Double) -> Tensor { .make { ct_lt_scalar($0, handle, value) } }

  /// Whether each element is greater than `value`; returns booleans.
  public func isGreater(than value: Double) -> Tensor { .make { ct_gt_scalar($0, handle, value) } }

  /// Whether each element is neither infinite nor NaN; returns booleans.
  public func isFinite() -> Tensor { .make { ct_isfinite($0, handle) } }

  /// Whether every element is neither infinite nor NaN.
  public func allFinite() -> Bool {
    // One pass is enough if the sum is finite, because infinities and NaNs propagate. A sum of finite elements can overflow.
    sum().item().isFinite || isFinite().all()
  }

  /// Whether every element is true or nonzero.
  public func all() -> Bool {
    var result = false
    check(ct_all(&result, handle))
    return result
  }

  /// Takes elements from `other` where `condition` holds, from `self` elsewhere.
  public func replaced(with other: Tensor, where condition: Tensor) -> Tensor {
    .make { ct_where($0, condition.handle, other.handle, handle) }
  }

  /// The sum over the given dimensions, or over all dimensions if none are given.
  public func sum(_ dimensions: Int..., keepDimensions: Bool = false) -> Tensor {
    .make { ct_sum($0, handle, dimensions.map(Int64.init), Int32(dimensions.count), keepDimensions) }
  }

  /// The mean over the given dimensions, or over all dimensions if none are given.
  public func mean(_ dimensions: Int..., keepDimensions: Bool = false) -> Tensor {
    .make { ct_mean($0, handle, dimensions.map(Int64.init), Int32(dimensions.count), keepDimensions) }
  }

  /// The running sum along a dimension.
  public func cumulativeSum(along dimension: Int) -> Tensor {
    .make { ct_cumulative_sum($0, handle, Int64(dimension)) }
  }

  /// In rows that ascend: the index of the first element above each value; the length of the row if there is none.
  ///
  /// - Parameter values: [rows, m], for rows of shape [rows, length].
  /// - Returns: [rows, m], int64.
  public func firstIndices(above values: Tensor) -> Tensor {
    .make { ct_first_above($0, contiguous().handle, values.contiguous().handle) }
  }

  /// The running maximum along a dimension.
  public func cumulativeMaximum(along dimension: Int) -> Tensor {
    .make { ct_cumulative_maximum($0, handle, Int64(dimension)) }
  }

  /// The index of the largest element along a dimension; the first one if several are equal.
  public func argmax(_ dimension: Int = -1) -> Tensor { .make { ct_argmax($0, handle, Int64(dimension)) } }
}
