/// Packed copies of the weights of one row-wise network, which ``rowwise(_:fusing:packed:_:)`` makes when it first needs
/// them, and again after the weights have changed.
///
/// With them a few rows, such as the candidates of a generation step, take half of the time. They need as much memory
/// as the weights.
public final class PackedRowWeights {
  private var kept: [KeptValue<Tensor>] = []

  /// Without copies yet.
  public init() {}

  /// The packed forms of the network's matrices, always in the same order.
  func panels(of matrices: [Tensor]) -> [Tensor] {
    while kept.count < matrices.count { kept.append(KeptValue()) }
    return matrices.indices.map { index in kept[index](of: [matrices[index]]) { packed(matrices[index]) } }
  }
}
