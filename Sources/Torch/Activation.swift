import CTorch

/// A non-linear function, under the names that official configurations have for it (`ACT2FN` of Hugging Face
/// transformers 4.46).
public enum Activation: String, CaseIterable, Codable, Sendable {
  /// `silu` and `swish` are both x·σ(x), `gelu` is x·Φ(x), `mish` x·tanh(ln(1 + eˣ)), `relu2` the square of `relu`,
  /// `relu6` the lesser of `relu` and 6, `linear` x itself, and `laplace` the normal distribution function with mean √½
  /// and variance 1/(4π).
  case silu, swish, gelu, mish, relu, relu2, relu6, sigmoid, tanh, linear, laplace
  /// `gelu`, at most 10.
  case geluClipped = "gelu_10"
  /// `gelu`.
  case geluPython = "gelu_python"
  /// `gelu` with its approximation by tanh.
  case geluNew = "gelu_new"
  /// The same as ``geluNew``.
  case geluFast = "gelu_fast"
  /// The same as ``geluNew``.
  case geluAccurate = "gelu_accurate"
  /// The same as ``geluNew``.
  case geluTanh = "gelu_pytorch_tanh"
  /// x·σ(1.702·x).
  case quickGELU = "quick_gelu"
  /// x where it is positive, x/100 elsewhere.
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
