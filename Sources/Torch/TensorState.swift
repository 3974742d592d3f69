import CTorch

/// A tensor at a point in time, to tell later whether values that were computed from it are still those of the tensor.
package struct TensorState {
  private let tensor: Tensor
  private let changes: Int64

  package init(of tensor: Tensor) {
    self.tensor = tensor
    changes = ct_changes(tensor.handle)
  }

  /// Whether `other` is the tensor, and was not changed since.
  package func isCurrent(for other: Tensor) -> Bool {
    ct_is_same(tensor.handle, other.handle) != 0 && ct_changes(other.handle) == changes
  }
}
