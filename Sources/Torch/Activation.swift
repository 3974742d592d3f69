import CTorch

/// A non-linear function, under the names that official configurations have for it (`ACT2FN` of Hugging Face
/// transformers 4.46).
public enum Activation: String, CaseIterable, Codable, Sendable {
  case silu, swish, gelu, mish, relu, relu2, relu6, sigmoid, tanh, linear, laplace
  case geluClipped = "gelu_10"
  case geluPython = "gelu_python"
  case geluNew = "gelu_new"
  case geluFast = "gelu_fast"
  case geluAccurate = "gelu_accurate"
  case geluTanh = "gelu_pytorch_tanh"
  case quickGELU = "quick_gelu"
  case leakyReLU = "leaky_relu"

  /// The function of each element.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    .make { ct_activation($0, x.handle, code) }
  }

  /// The function of `gate`, times `up`; fused for SiLU.
  public func callAsFunction(gate: Tensor, up: Tensor) -> Tensor {
    code == CT_SILU ? swiGLU(gate: gate, up: up) : self(gate) * up
  }

  // Names that differ only in how their formula is evaluated share a code.
  private var code: ct_activation_kind {
    switch self {
    case .silu, .swish: CT_SILU
    case .gelu, .geluPython: CT_GELU
    case .geluClipped: CT_GELU_CLIPPED
    case .geluNew, .geluFast, .geluAccurate, .geluTanh: CT_GELU_TANH
    case .quickGELU: CT_GELU_QUICK
    case .laplace: CT_LAPLACE
    case .leakyReLU: CT_LEAKY_RELU
    case .linear: CT_IDENTITY
    case .mish: CT_MISH
    case .relu: CT_RELU
    case .relu2: CT_RELU_SQUARED
    case .relu6: CT_RELU6
    case .sigmoid: CT_SIGMOID
    case .tanh: CT_TANH
    }
  }
}
