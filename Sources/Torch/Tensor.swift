import CTorch

/// A multi-dimensional array of numbers on a device, backed by libtorch.
///
/// A tensor is a reference. Operations return new tensors, or views that share elements. Only methods whose names end
/// in `InPlace`, ``copy(from:)`` and ``fill(_:)`` modify a tensor. Its memory is freed with the last reference.
///
/// Incompatible shapes and element types are programming errors: the process stops with the name of the operation and
/// libtorch's message.
public final class Tensor {
  let handle: ct_tensor

  init(owning handle: ct_tensor) {
    self.handle = handle
  }

  deinit {
    ct_tensor_free(handle)
  }

  /// Creates a tensor from elements in row-major order.
  ///
  /// - Precondition: `elements.count` is the product of `shape`.
  public convenience init<Element: TensorElement>(
    _ elements: [Element], shape: [Int]? = nil, device: Device = .cpu
  ) {
    let shape = (shape ?? [elements.count]).map(Int64.init)
    let handle = elements.withUnsafeBytes { bytes in
      makeHandle { out in
        ct_from_bytes(
          out, bytes.baseAddress, bytes.count, shape, Int32(shape.count), Element.dtype.code, device.code)
      }
    }
    self.init(owning: handle)
  }

  /// Creates a tensor from the bytes of its elements in row-major order.
  ///
  /// - Precondition: `bytes.count` is the size of the tensor in bytes.
  public convenience init(bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType = .float32, device: Device = .cpu) {
    let shape = shape.map(Int64.init)
    self.init(
      owning: makeHandle {
        ct_from_bytes($0, bytes.baseAddress, bytes.count, shape, Int32(shape.count), dtype.code, device.code)
      })
  }

  /// Creates a scalar, a tensor without dimensions.
  public convenience init(_ value: Float) {
    self.init([value], shape: [])
  }

  /// Creates a tensor with uninitialized elements.
  public static func empty(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) -> Tensor {
    make { ct_empty($0, shape.map(Int64.init), Int32(shape.count), dtype.code, device.code) }
  }

  /// Creates a tensor with every element equal to `value`.
  public static func full(_ shape: [Int], _ value: Double, dtype: DType = .float32, device: Device = .cpu) -> Tensor {
    make { ct_full($0, shape.map(Int64.init), Int32(shape.count), value, dtype.code, device.code) }
  }

  /// Creates a tensor of zeros.
  public static func zeros(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) -> Tensor {
    full(shape, 0, dtype: dtype, device: device)
  }

  /// Creates a tensor of ones.
  public static func ones(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) -> Tensor {
    full(shape, 1, dtype: dtype, device: device)
  }

  /// Creates a vector of the integers in `range`.
  public static func range(_ range: Range<Int>, dtype: DType = .int64, device: Device = .cpu) -> Tensor {
    make { ct_arange($0, Int64(range.lowerBound), Int64(range.upperBound), dtype.code, device.code) }
  }

  /// The length of each dimension.
  public var shape: [Int] {
    let rank = Int(ct_rank(handle))
    return [Int64](unsafeUninitializedCapacity: rank) { buffer, count in
      if let base = buffer.baseAddress { ct_shape(handle, base) }
      count = rank
    }.map(Int.init)
  }

  /// The number of dimensions.
  public var rank: Int { Int(ct_rank(handle)) }

  /// The number of elements.
  public var count: Int { shape.reduce(1, *) }

  /// The type of the elements.
  public var dtype: DType { DType(code: ct_tensor_dtype(handle)) }

  /// The device of the elements.
  public var device: Device { Device(code: ct_tensor_device(handle)) }

  /// Whether the elements are stored in row-major order without gaps.
  public var isContiguous: Bool { ct_is_contiguous(handle) }

  /// Whether both tensors use the same memory.
  public func sharesStorage(with other: Tensor) -> Bool { ct_same_storage(handle, other.handle) }

  /// The elements in row-major order, converted to `Element`.
  ///
  /// The conversion runs on the CPU because Metal has no float64.
  public func elements<Element: TensorElement>(as type: Element.Type = Element.self) -> [Element] {
    let source = to(device: .cpu).to(Element.dtype)
    let count = self.count
    return [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
      check(ct_to_bytes(source.handle, buffer.baseAddress, count * MemoryLayout<Element>.stride))
      initialized = count
    }
  }

  /// The element of a tensor with one element.
  public func item() -> Double {
    precondition(count == 1, "item() requires one element, but the shape is \(shape)")
    return elements(as: Double.self)[0]
  }

  /// Calls `body` with the bytes of the elements, in row-major order on the CPU.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    let local = to(dtype, device: .cpu).contiguous()
    var address: UnsafeMutableRawPointer?
    check(ct_data(&address, local.handle))
    return try withExtendedLifetime(local) {
      try body(UnsafeRawBufferPointer(start: address, count: count * dtype.size))
    }
  }

  /// Converts to another type, device, or both. Returns the tensor itself if nothing changes.
  public func to(_ dtype: DType? = nil, device: Device? = nil) -> Tensor {
    let (dtype, device) = (dtype ?? self.dtype, device ?? self.device)
    if dtype == self.dtype && device == self.device { return self }
    return .make { ct_to($0, handle, dtype.code, device.code) }
  }

  /// Returns a contiguous tensor: itself, or a copy if it is not contiguous.
  public func contiguous() -> Tensor {
    isContiguous ? self : .make { ct_contiguous($0, handle) }
  }

  /// Copies the tensor.
  public func clone() -> Tensor {
    .make { ct_clone($0, handle) }
  }

  /// Overwrites the elements with those of `source`, converted and broadcast as needed.
  public func copy(from source: Tensor) {
    check(ct_copy_(handle, source.handle))
  }

  /// Overwrites every element with `value`.
  public func fill(_ value: Double) {
    check(ct_fill_(handle, value))
  }
}

extension Tensor: CustomStringConvertible {
  /// The shape, type and device, without the elements.
  public var description: String {
    "Tensor(shape: \(shape), \(dtype), \(device))"
  }
}
