import CTorch

/// Runs `body` without recording operations for gradients.
///
/// The mode belongs to the thread, so the closure is synchronous: a task could go on on another thread after an `await`.
public func withoutGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
  let before = ct_grad_mode()
  ct_set_grad_mode(false)
  defer { ct_set_grad_mode(before) }
  return try body()
}

extension Tensor {
  /// Whether gradients flow to this tensor. Only a leaf, made by no recorded operation, may be changed.
  public var requiresGradient: Bool {
    get { ct_requires_grad(handle) }
    set { check(ct_set_requires_grad(handle, newValue)) }
  }

  /// The gradient that ``backward(_:)`` has accumulated in this leaf.
  public var gradient: Tensor? {
    get {
      var handle: ct_tensor?
      check(ct_grad(&handle, self.handle))
      return handle.map(Tensor.init(owning:))
    }
    set { check(ct_set_grad(handle, newValue?.handle)) }
  }

  /// Adds to every leaf's ``gradient`` that of this tensor.
  ///
  /// - Parameter gradient: that of the final result with respect to this tensor; may be left out for a scalar.
  public func backward(_ gradient: Tensor? = nil) {
    check(ct_backward(handle, gradient?.handle))
  }

  /// The same elements, cut off from the recorded operations.
  public func detached() -> Tensor {
    .make { ct_detach($0, handle) }
  }
}
