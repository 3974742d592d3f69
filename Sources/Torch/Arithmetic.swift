import CTorch

// Elementwise arithmetic and reductions. Shapes broadcast as in NumPy; arithmetic with a number makes integers float32.

extension Tensor {
  /// The sums of the elements.
  public static func + (a: Tensor, b: Tensor) -> Tensor { make { ct_add($0, a.handle, b.handle) } }
  /// The differences of the elements.
  public static func - (a: Tensor, b: Tensor) -> Tensor { make { ct_sub($0, a.handle, b.handle) } }
  /// The products of the elements, not of matrices.
  public static func * (a: Tensor, b: Tensor) -> Tensor { make { ct_mul($0, a.handle, b.handle) } }
  /// The quotients of the elements; of integers they are float32.
  public static func / (a: Tensor, b: Tensor) -> Tensor { make { ct_div($0, a.handle, b.handle) } }
  /// Each element plus `b`.
  public static func + (a: Tensor, b: Double) -> Tensor { make { ct_add_scalar($0, a.handle, b) } }
  /// Each element less `b`.
  public static func - (a: Tensor, b: Double) -> Tensor { make { ct_add_scalar($0, a.handle, -b) } }
  /// `a` less each element.
  public static func - (a: Double, b: Tensor) -> Tensor { -b + a }
  /// Each element times `b`.
  public static func * (a: Tensor, b: Double) -> Tensor { make { ct_mul_scalar($0, a.handle, b) } }
  /// Each element times `a`.
  public static func * (a: Double, b: Tensor) -> Tensor { make { ct_mul_scalar($0, b.handle, a) } }
  /// Each element times 1/`b`, which is rounded once more than a division.
  public static func / (a: Tensor, b: Double) -> Tensor { make { ct_mul_scalar($0, a.handle, 1 / b) } }
  /// Each element with the other sign; here too integers become float32.
  public static prefix func - (a: Tensor) -> Tensor { make { ct_mul_scalar($0, a.handle, -1) } }

  /// Adds `scale`·`other` to the elements.
  public func addInPlace(_ other: Tensor, scale: Double = 1) { check(ct_add_(handle, other.handle, scale)) }

  /// Multiplies the elements by `factor`.
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

  /// Each element to the given power.
  public func power(_ exponent: Double) -> Tensor { .make { ct_pow_scalar($0, handle, exponent) } }

  /// Each element, or `minimum` where that is larger.
  public func clamped(minimum: Double) -> Tensor { .make { ct_clamp_min($0, handle, minimum) } }

  /// Where the elements are equal, as booleans.
  public func equals(_ other: Tensor) -> Tensor { .make { ct_eq($0, handle, other.handle) } }

  /// Where the elements are `value`, as booleans.
  public func equals(_ value: Double) -> Tensor { .make { ct_eq_scalar($0, handle, value) } }

  /// Where the elements are less than `value`, as booleans.
  public func isLess(than value: Double) -> Tensor { .make { ct_lt_scalar($0, handle, value) } }

  /// Where the elements are greater than `value`, as booleans.
  public func isGreater(than value: Double) -> Tensor { .make { ct_gt_scalar($0, handle, value) } }

  /// Where the elements are neither infinite nor NaN, as booleans.
  public func isFinite() -> Tensor { .make { ct_isfinite($0, handle) } }

  /// Whether every element is true, or not zero.
  public func all() -> Bool {
    var result = false
    check(ct_all(&result, handle))
    return result
  }

  /// The elements of `self` where `condition` holds, of `other` elsewhere.
  public func replaced(with other: Tensor, where condition: Tensor) -> Tensor {
    .make { ct_where($0, condition.handle, other.handle, handle) }
  }

  /// The sum over the given dimensions, or over all.
  public func sum(_ dimensions: Int..., keepDimensions: Bool = false) -> Tensor {
    .make { ct_sum($0, handle, dimensions.map(Int64.init), Int32(dimensions.count), keepDimensions) }
  }

  /// The mean over the given dimensions, or over all.
  public func mean(_ dimensions: Int..., keepDimensions: Bool = false) -> Tensor {
    .make { ct_mean($0, handle, dimensions.map(Int64.init), Int32(dimensions.count), keepDimensions) }
  }

  /// The largest element so far along a dimension.
  public func cumulativeMaximum(along dimension: Int) -> Tensor {
    .make { ct_cumulative_maximum($0, handle, Int64(dimension)) }
  }

  /// The index of the largest element along a dimension; the first of equals.
  public func argmax(_ dimension: Int = -1) -> Tensor { .make { ct_argmax($0, handle, Int64(dimension)) } }
}
