import CTorch

/// Runs `body` without recording operations for gradients.
///
/// The mode is per thread, so the closure is synchronous: after an `await`, a task may continue on another thread.
public func withoutGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
  let before = ct_grad_mode()
  ct_set_grad_mode(false)
  defer { ct_set_grad_mode(before) }
  return try body()
}

/// Runs part of a network with gradient checkpointing (Chen et al., 2016): only the input is stored, and the backward
/// pass recomputes the intermediate values. This saves their memory at the cost of a second forward pass.
///
/// The gradients are those of `part(x)`, provided that `part` is deterministic.
///
/// - Parameters:
///   - x: the only input through which gradients leave the part. Gradients of its parameters accumulate normally.
///   - part: runs once now and once in the backward pass, possibly on another thread.
public func recomputed(_ x: Tensor, _ part: @escaping (Tensor) -> Tensor) -> Tensor {
  let context = Unmanaged.passRetained(Part(part)).toOpaque()
  return .make {
    ct_recomputed(
      $0, x.handle,
      { out, x, context in
        guard let x, let context else { return 1 }
        let result = Unmanaged<Part>.fromOpaque(context).takeUnretainedValue().function(Tensor(owning: x))
        return ct_share(out, result.handle)
      },
      context, { context in context.map { Unmanaged<Part>.fromOpaque($0).release() } })
  }
}

/// The closure that ``recomputed(_:_:)`` passes through C.
private final class Part {
  let function: (Tensor) -> Tensor
  init(_ function: @escaping (Tensor) -> Tensor) { self.function = function }
}

extension Tensor {
  /// Whether gradients flow to this tensor. It can be set only on a leaf, which is a tensor that is not the result of a
  /// recorded operation.
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

  /// Adds the gradient of this tensor with respect to each leaf to the leaf's ``gradient``.
  ///
  /// - Parameter gradient: the gradient of the final result with respect to this tensor; nil means 1, for a scalar.
  public func backward(_ gradient: Tensor? = nil) {
    check(ct_backward(handle, gradient?.handle))
  }

  /// A tensor that shares the elements, without a gradient history.
  public func detached() -> Tensor {
    .make { ct_detach($0, handle) }
  }
}
