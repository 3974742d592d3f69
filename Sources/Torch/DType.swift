import CTorch

/// The type of a tensor's elements.
public enum DType: String, Sendable, CaseIterable, Codable {
  /// PyTorch's element types; `bfloat16` has the range of `float32`.
  case bool, uint8, int32, int64, float16, bfloat16, float32, float64

  /// The size of an element in bytes.
  public var size: Int {
    switch self {
    case .bool, .uint8: 1
    case .float16, .bfloat16: 2
    case .int32, .float32: 4
    case .int64, .float64: 8
    }
  }

  /// Whether the elements are floating-point numbers.
  public var isFloatingPoint: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }

  var code: ct_dtype {
    switch self {
    case .bool: CT_BOOL
    case .uint8: CT_UINT8
    case .int32: CT_INT32
    case .int64: CT_INT64
    case .float16: CT_FLOAT16
    case .bfloat16: CT_BFLOAT16
    case .float32: CT_FLOAT32
    case .float64: CT_FLOAT64
    }
  }

  init(code: ct_dtype) {
    guard let type = DType.allCases.first(where: { $0.code == code }) else {
      fatalError("the tensor has the unsupported element type \(code.rawValue)")
    }
    self = type
  }
}

/// A Swift type that a tensor can store.
public protocol TensorElement {
  /// The corresponding element type of a tensor.
  static var dtype: DType { get }
}

extension Float: TensorElement {
  /// `float32`.
  public static var dtype: DType { .float32 }
}

extension Double: TensorElement {
  /// `float64`.
  public static var dtype: DType { .float64 }
}

extension Int32: TensorElement {
  /// `int32`.
  public static var dtype: DType { .int32 }
}

extension Int64: TensorElement {
  /// `int64`.
  public static var dtype: DType { .int64 }
}

extension UInt8: TensorElement {
  /// `uint8`.
  public static var dtype: DType { .uint8 }
}

extension Bool: TensorElement {
  /// `bool`.
  public static var dtype: DType { .bool }
}
