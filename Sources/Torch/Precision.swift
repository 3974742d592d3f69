/// The type in which a model is to compute, where the choice may be left to the program.
public enum Precision: String, Sendable, CaseIterable, Codable {
  /// bfloat16 where the device is fast with it, else float32.
  case auto
  /// 32-bit floating point.
  case float32
  /// 16-bit floating point with the exponents of float32. Parameters under training stay in float32 beside it.
  case bfloat16

  /// The precision of a type that was taken.
  public init(_ type: DType) { self = type == .bfloat16 ? .bfloat16 : .float32 }

  /// The type to take on a device.
  ///
  /// `auto` takes bfloat16 on CUDA devices, and on processors whose instructions multiply it.
  public func resolved(on device: Device, processor: Processor = .current) -> DType {
    switch (self, device) {
    case (.float32, _): .float32
    case (.bfloat16, _), (.auto, .cuda): .bfloat16
    case (.auto, .cpu): processor.hasFastBFloat16 ? .bfloat16 : .float32
    case (.auto, .mps): .float32
    }
  }
}
