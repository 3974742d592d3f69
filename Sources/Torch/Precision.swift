/// The requested type of a model's computations, possibly chosen automatically.
public enum Precision: String, Sendable, CaseIterable, Codable {
  /// bfloat16 if the device computes fast with it, otherwise float32.
  case auto
  /// 32-bit floating point.
  case float32
  /// 16-bit floating point with the exponent range of float32. Training keeps float32 masters of the parameters.
  case bfloat16

  /// The precision of a resolved type.
  public init(_ type: DType) { self = type == .bfloat16 ? .bfloat16 : .float32 }

  /// The type to use on a device.
  ///
  /// `auto` selects bfloat16 on CUDA devices and on processors with bfloat16 multiplication.
  public func resolved(on device: Device, processor: Processor = .current) -> DType {
    switch (self, device) {
    case (.float32, _): .float32
    case (.bfloat16, _), (.auto, .cuda): .bfloat16
    case (.auto, .cpu): processor.hasFastBFloat16 ? .bfloat16 : .float32
    case (.auto, .mps): .float32
    }
  }
}
