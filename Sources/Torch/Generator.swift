import CTorch

/// A random number generator with an explicit state.
///
/// All random functions of this package take a generator. libtorch's default generator is shared by the whole process,
/// so the numbers of one task would depend on other tasks.
public final class Generator {
  private let source: ct_generator?
  /// The element type of an ``unset(device:as:)`` generator's tensors.
  private let unsetType: DType?
  /// The device of the generated tensors.
  public let device: Device

  /// Creates a generator.
  ///
  /// Equal seeds produce equal numbers on the same device. On the CPU, seeds below 2³² produce the numbers of
  /// libtorch's generator. For larger seeds all 64 bits determine the state, while libtorch ignores the upper 32.
  public init(seed: UInt64, device: Device = .cpu) {
    var handle: ct_generator?
    check(ct_generator_new(&handle, seed, device.code))
    source = handle
    unsetType = nil
    self.device = device
  }

  /// A generator for a batch, with a separate seed for each row.
  ///
  /// A row's numbers depend only on its seed, so a batch has the same noise if it is split into parts or distributed
  /// over processes. The sampling functions take the batch dimension as `along`, and fill the rows in parallel.
  ///
  /// - Parameter rows: the seed of each row.
  public init(rows: [UInt64], device: Device = .cpu) {
    var handle: ct_generator?
    check(ct_generator_new_of_rows(&handle, rows, Int32(rows.count), device.code))
    source = handle
    unsetType = nil
    self.device = device
  }

  private init(unsetOn device: Device, _ dtype: DType) {
    source = nil
    unsetType = dtype
    self.device = device
  }

  deinit {
    if let source { ct_generator_free(source) }
  }

  /// A generator whose tensors are uninitialized memory.
  ///
  /// Use it to create a model whose weights are loaded next. Random initialization of a large model takes seconds, and
  /// writes to its memory before the file is known to match.
  ///
  /// - Parameter dtype: the type of the tensors, which overrides the requested type.
  public static func unset(device: Device = .cpu, as dtype: DType = .float32) -> Generator {
    Generator(unsetOn: device, dtype)
  }

  var handle: ct_generator {
    guard let source else { preconditionFailure("an unset generator has no state") }
    return source
  }

  private func sample(
    _ shape: [Int], _ dtype: DType, _ body: (UnsafeMutablePointer<ct_tensor?>, [Int64], ct_generator) -> Int32
  ) -> Tensor {
    guard let source else { return .empty(shape, dtype: unsetType ?? dtype, device: device) }
    return .make { body($0, shape.map(Int64.init), source) }
  }

  /// The complete state of the generator, to save and restore.
  public var state: Tensor {
    get { Tensor.make { ct_generator_get_state($0, handle) } }
    set { check(ct_generator_set_state(handle, newValue.handle)) }
  }

  /// Samples uniformly from `range`.
  ///
  /// - Parameter batch: the batch dimension, for a generator of rows.
  public func uniform(
    _ shape: [Int], in range: Range<Double> = 0..<1, dtype: DType = .float32, along batch: Int = 0
  ) -> Tensor {
    sample(shape, dtype) { out, shape, source in
      ct_uniform(
        out, shape, Int32(shape.count), range.lowerBound, range.upperBound, dtype.code, device.code, source,
        Int32(batch))
    }
  }

  /// Samples from a normal distribution.
  ///
  /// - Parameter batch: the batch dimension, for a generator of rows.
  public func normal(
    _ shape: [Int], mean: Double = 0, deviation: Double = 1, dtype: DType = .float32, along batch: Int = 0
  ) -> Tensor {
    sample(shape, dtype) { out, shape, source in
      ct_normal(
        out, shape, Int32(shape.count), mean, deviation, dtype.code, device.code, source, Int32(batch))
    }
  }

  /// Samples ones with the given probability, and zeros otherwise.
  ///
  /// - Parameter batch: the batch dimension, for a generator of rows.
  public func bernoulli(
    _ shape: [Int], probability: Double, dtype: DType = .float32, along batch: Int = 0
  ) -> Tensor {
    sample(shape, dtype) { out, shape, source in
      ct_bernoulli(
        out, shape, Int32(shape.count), probability, dtype.code, device.code, source, Int32(batch))
    }
  }
}
