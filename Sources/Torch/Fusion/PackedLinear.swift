import CTorch

/// A linear layer whose weight is packed.
struct PackedLinear {
  let weight: Tensor
  let bias: Tensor

  init(_ weight: Tensor, bias: Tensor?) {
    guard let bias else { preconditionFailure("a layer without a bias") }
    (self.weight, self.bias) = (packed(weight), bias.contiguous())
  }

  init(_ layer: Linear) { self.init(layer.weight, bias: layer.bias) }
}

/// A matrix of weights in the order in which products of a few rows read it: […, outputs, inputs] → […, panels, inputs,
/// 16], with zeros after the last output.
func packed(_ weight: Tensor) -> Tensor { .make { ct_packed_weight($0, weight.handle) } }

extension Linear {
  /// The weight, and the bias if there is one.
  package var parameters: [Tensor] { [weight] + [bias].compactMap { $0 } }
}
