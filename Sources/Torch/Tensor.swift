import CTorch

/// A multi-dimensional array of numbers on a device, as libtorch keeps it.
///
/// A tensor is a reference: operations make new tensors, or views that share elements; only the methods whose names
/// end in `InPlace` and ``copy(from:)`` and ``fill(_:)`` change one. Its memory is freed with the last reference.
///
/// Shapes that do not fit an operation, or elements of the wrong type, are a programmer's error: the process stops with
/// the operation's name and libtorch's message.
public final class Tensor {
  let handle: ct_tensor

  init(owning handle: ct_tensor) {
    self.handle = handle
  }

  deinit {
    ct_tensor_free(handle)
  }

  /// A tensor with the given elements, row-major.
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

  /// A tensor of the given type whose elements are `bytes`, as they lie in memory.
  ///
  /// - Precondition: `bytes.count` is the size of such a tensor.
  public convenience init(bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType, device: Device = .cpu) {
    let shape = shape.map(Int64.init)
    self.init(
      owning: makeHandle {
        ct_from_bytes($0, bytes.baseAddress, bytes.count, shape, Int32(shape.count), dtype.code, device.code)
      })
  }

  /// A tensor of no dimensions.
  public convenience init(_ value: Float) {
    self.init([value], shape: [])
  }

  /// A tensor whose elements are not set.
  public static func empty(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) -> Tensor {
    make { ct_empty($0, shape.map(Int64.init), Int32(shape.count), dtype.code, device.code) }
  }

  /// A tensor with every element `value`.
  public static func full(_ shape: [Int], _ value: Double, dtype: DType = .float32, device: Device = .cpu) -> Tensor {
    make { ct_full($0, shape.map(Int64.init), Int32(shape.count), value, dtype.code, device.code) }
  }

  /// A tensor of zeros.
  public static func zeros(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) -> Tensor {
    full(shape, 0, dtype: dtype, device: device)
  }

  /// A tensor of ones.
  public static func ones(_ shape: [Int], dtype: DType = .float32, device: Device = .cpu) -> Tensor {
    full(shape, 1, dtype: dtype, device: device)
  }

  /// The integers from `range.lowerBound` up to, not including, `range.upperBound`.
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

  /// Where the elements are.
  public var device: Device { Device(code: ct_tensor_device(handle)) }

  /// Whether the elements lie row-major without gaps.
  public var isContiguous: Bool { ct_is_contiguous(handle) }

  /// Whether both see the same memory.
  public func sharesStorage(with other: Tensor) -> Bool { ct_same_storage(handle, other.handle) }

  /// The elements, row-major, converted to `Element` where they are of another type. The conversion runs on the CPU, as
  /// Metal has no float64.
  public func elements<Element: TensorElement>(as type: Element.Type = Element.self) -> [Element] {
    let source = to(device: .cpu).to(Element.dtype)
    let count = self.count
    return [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
      check(ct_to_bytes(source.handle, buffer.baseAddress, count * MemoryLayout<Element>.stride))
      initialized = count
    }
  }

  /// The one element of a tensor that has one.
  public func item() -> Double {
    precondition(count == 1, "item() of a tensor of shape \(shape)")
    return elements(as: Double.self)[0]
  }

  /// Calls `body` with the bytes of the elements, row-major on the CPU.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    let local = to(dtype, device: .cpu).contiguous()
    var address: UnsafeMutableRawPointer?
    check(ct_data(&address, local.handle))
    return try withExtendedLifetime(local) {
      try body(UnsafeRawBufferPointer(start: address, count: count * dtype.size))
    }
  }

  /// The same elements in another type, on another device, or both; the tensor itself where nothing changes.
  public func to(_ dtype: DType? = nil, device: Device? = nil) -> Tensor {
    let (dtype, device) = (dtype ?? self.dtype, device ?? self.device)
    if dtype == self.dtype && device == self.device { return self }
    return .make { ct_to($0, handle, dtype.code, device.code) }
  }

  /// The elements row-major without gaps; a copy only where they are not.
  public func contiguous() -> Tensor {
    isContiguous ? self : .make { ct_contiguous($0, handle) }
  }

  /// A copy.
  public func clone() -> Tensor {
    .make { ct_clone($0, handle) }
  }

  /// Overwrites the elements with those of `source`, converted and broadcast as needed.
  public func copy(from source: Tensor) {
    check(ct_copy_(handle, source.handle))
  }

  /// Overwrites every element.
  public func fill(_ value: Double) {
    check(ct_fill_(handle, value))
  }
}

extension Tensor: CustomStringConvertible {
  /// Shape, type and device, without the elements.
  public var description: String {
    "Tensor(shape: \(shape), \(dtype), \(device))"
  }
}
