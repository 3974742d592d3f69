/// A value that is computed from tensors, and kept until one of them changes.
package struct KeptValue<Value> {
  private var latest: (value: Value, sources: [TensorState])?

  package init() {}

  /// The value.
  ///
  /// - Parameters:
  ///   - sources: the tensors that it depends on, always in the same order.
  ///   - compute: computes it.
  package mutating func callAsFunction(of sources: [Tensor], _ compute: () -> Value) -> Value {
    if let latest, zip(latest.sources, sources).allSatisfy({ $0.isCurrent(for: $1) }) { return latest.value }
    let value = compute()
    latest = (value, sources.map(TensorState.init))
    return value
  }
}
