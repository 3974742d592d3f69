import CTorch

/// A source of random tensors with a state of its own.
///
/// Everything in this package that draws takes one: libtorch's default generator is one for the whole process, and
/// would tie the numbers of one task to what others draw.
public final class Generator {
  private let source: ct_generator?
  /// The type of floating-point tensors that are not drawn.
  private let unsetType: DType?
  /// The device on which it draws.
  public let device: Device

  /// - Parameter seed: the same seed gives the same numbers on the same device, and any other seed others. On the CPU,
  ///   seeds below 2³² give the numbers of libtorch's own generator; those above decide its state with all 64 bits,
  ///   where libtorch would leave out the upper half.
  public init(seed: UInt64, device: Device = .cpu) {
    var handle: ct_generator?
    check(ct_generator_new(&handle, seed, device.code))
    source = handle
    unsetType = nil
    self.device = device
  }

  /// A generator for a batch: each row's numbers follow from a seed of its own, whatever other rows are there.
  ///
  /// So a batch has the same noise whole, cut into parts, and shared out over processes. Draws say along which
  /// dimension the rows lie; what is drawn is then filled row by row, by several threads at once.
  ///
  /// - Parameter rows: one seed a row.
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

  /// A generator that draws nothing: its tensors hold whatever was in their memory.
  ///
  /// For the weights of a model that is about to be loaded. Drawing the numbers first takes seconds in a large model,
  /// and touches its memory before the file is known to fit.
  ///
  /// - Parameter dtype: the type of the tensors, whatever type is asked of it.
  public static func unset(device: Device = .cpu, as dtype: DType = .float32) -> Generator {
    Generator(unsetOn: device, dtype)
  }

  var handle: ct_generator {
    guard let source else { preconditionFailure("a generator that draws nothing has no state") }
    return source
  }

  private func draw(
    _ shape: [Int], _ dtype: DType, _ body: (UnsafeMutablePointer<ct_tensor?>, [Int64], ct_generator) -> Int32
  ) -> Tensor {
    guard let source else { return .empty(shape, dtype: unsetType ?? dtype, device: device) }
    return .make { body($0, shape.map(Int64.init), source) }
  }

  /// Everything that decides the coming numbers, to be stored and set again.
  public var state: Tensor {
    get { Tensor.make { ct_generator_get_state($0, handle) } }
    set { check(ct_generator_set_state(handle, newValue.handle)) }
  }

  /// Numbers uniform in `range`.
  ///
  /// - Parameter batch: of a generator of rows, the dimension along which the rows lie.
  public func uniform(
    _ shape: [Int], in range: Range<Double> = 0..<1, dtype: DType = .float32, along batch: Int = 0
  ) -> Tensor {
    draw(shape, dtype) { out, shape, source in
      ct_uniform(
        out, shape, Int32(shape.count), range.lowerBound, range.upperBound, dtype.code, device.code, source,
        Int32(batch))
    }
  }

  /// Normally distributed numbers.
  ///
  /// - Parameter batch: of a generator of rows, the dimension along which the rows lie.
  public func normal(
    _ shape: [Int], mean: Double = 0, deviation: Double = 1, dtype: DType = .float32, along batch: Int = 0
  ) -> Tensor {
    draw(shape, dtype) { out, shape, source in
      ct_normal(
        out, shape, Int32(shape.count), mean, deviation, dtype.code, device.code, source, Int32(batch))
    }
  }

  /// Ones with the given probability, zeros else.
  ///
  /// - Parameter batch: of a generator of rows, the dimension along which the rows lie.
  public func bernoulli(
    _ shape: [Int], probability: Double, dtype: DType = .float32, along batch: Int = 0
  ) -> Tensor {
    draw(shape, dtype) { out, shape, source in
      ct_bernoulli(
        out, shape, Int32(shape.count), probability, dtype.code, device.code, source, Int32(batch))
    }
  }
}
