/// The type and shape of a tensor in a file.
public struct TensorLayout: Equatable, Sendable, CustomStringConvertible {
  /// libtorch's limit on the number of dimensions.
  static let maximumRank = 64

  /// The type of the elements.
  public let dtype: DType
  /// The length of each dimension.
  public let shape: [Int]
  /// The number of elements.
  public let count: Int
  /// The size of all elements in bytes.
  public let byteCount: Int

  /// Creates a layout; nil if a length is negative, there are more than 64 dimensions, or the size overflows an
  /// integer.
  public init?(dtype: DType, shape: [Int]) {
    guard shape.count <= Self.maximumRank, shape.allSatisfy({ $0 >= 0 }) else { return nil }
    var bytes = dtype.size
    // A length of zero makes the tensor empty, but the other lengths must not overflow: strides are their products.
    for length in shape where length > 0 {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: length)
      if overflow { return nil }
      bytes = product
    }
    if shape.contains(0) { bytes = 0 }
    (self.dtype, self.shape, count, byteCount) = (dtype, shape, bytes / dtype.size, bytes)
  }

  /// The layout of a tensor in memory.
  public init(of tensor: Tensor) {
    (dtype, shape) = (tensor.dtype, tensor.shape)
    count = shape.reduce(1, *)
    byteCount = count * dtype.size
  }

  /// For example `float32 [128, 64]`.
  public var description: String { "\(dtype) \(shape)" }
}
