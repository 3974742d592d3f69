import CTorch

/// A source of random tensors with a state of its own.
///
/// Everything in this package that draws takes one: libtorch's default generator is one for the whole process, and
/// would tie the numbers of one task to what others draw.
public final class Generator {
  let handle: ct_generator
  /// The device on which it draws.
  public let device: Device

  /// - Parameter seed: the same seed gives the same numbers on the same device.
  public init(seed: UInt64, device: Device = .cpu) {
    var handle: ct_generator?
    check(ct_generator_new(&handle, seed, device.code))
    guard let handle else { fatalError("no generator") }
    self.handle = handle
    self.device = device
  }

  deinit {
    ct_generator_free(handle)
  }

  /// Everything that decides the coming numbers, to be stored and set again.
  public var state: Tensor {
    get { Tensor.make { ct_generator_get_state($0, handle) } }
    set { check(ct_generator_set_state(handle, newValue.handle)) }
  }

  /// Numbers uniform in `range`.
  public func uniform(_ shape: [Int], in range: Range<Double> = 0..<1, dtype: DType = .float32) -> Tensor {
    Tensor.make {
      ct_uniform(
        $0, shape.map(Int64.init), Int32(shape.count), range.lowerBound, range.upperBound, dtype.code, device.code,
        handle)
    }
  }

  /// Normally distributed numbers.
  public func normal(_ shape: [Int], mean: Double = 0, deviation: Double = 1, dtype: DType = .float32) -> Tensor {
    Tensor.make {
      ct_normal($0, shape.map(Int64.init), Int32(shape.count), mean, deviation, dtype.code, device.code, handle)
    }
  }

  /// Ones with the given probability, zeros else.
  public func bernoulli(_ shape: [Int], probability: Double, dtype: DType = .float32) -> Tensor {
    Tensor.make {
      ct_bernoulli($0, shape.map(Int64.init), Int32(shape.count), probability, dtype.code, device.code, handle)
    }
  }
}
