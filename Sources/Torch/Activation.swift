import CTorch

/// An activation function. The raw values are the names in official configurations (`ACT2FN` in Hugging Face
/// transformers 4.46).
public enum Activation: String, CaseIterable, Codable, Sendable {
  /// `silu` and `swish` are x·σ(x), `gelu` is x·Φ(x), `mish` is x·tanh(ln(1 + eˣ)), `relu2` is the square of `relu`,
  /// `relu6` is min(relu(x), 6), `linear` is x, and `laplace` is the cumulative normal distribution function with mean
  /// √½ and variance 1/(4π).
  case silu, swish, gelu, mish, relu, relu2, relu6, sigmoid, tanh, linear, laplace
  /// `gelu`, clipped at 10.
  case geluClipped = "gelu_10"
  /// `gelu`.
  case geluPython = "gelu_python"
  /// The tanh approximation of `gelu`.
  case geluNew = "gelu_new"
  /// The same as ``geluNew``.
  case geluFast = "gelu_fast"
  /// The same as ``geluNew``.
  case geluAccurate = "gelu_accurate"
  /// The same as ``geluNew``.
  case geluTanh = "gelu_pytorch_tanh"
  /// x·σ(1.702·x).
  case quickGELU = "quick_gelu"
  /// x where x is positive, x/100 elsewhere.
  case leakyReLU = "leaky_relu"

  /// Applies the function to each element.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    .make { ct_activation($0, x.handle, code) }
  }

  /// Returns activation(gate)·up, fused for SiLU.
  public func callAsFunction(gate: Tensor, up: Tensor) -> Tensor {
    code == CT_SILU ? swiGLU(gate: gate, up: up) : self(gate) * up
  }

  // Names for the same formula, evaluated differently, share a code.
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
