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

/// A part of a network of which only the input is kept: the backward pass computes what lies inside again ("gradient
/// checkpointing", Chen et al., 2016). Memory falls by what the part keeps, for one more forward pass of it.
///
/// The gradients are those of `part(x)` itself, as long as it gives the same result each time.
///
/// - Parameters:
///   - x: the only input through which gradients flow out of the part; those of its parameters are accumulated as usual.
///   - part: run once now and once in the backward pass, on whatever thread that takes.
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

/// What ``recomputed(_:_:)`` hands through C.
private final class Part {
  let function: (Tensor) -> Tensor
  init(_ function: @escaping (Tensor) -> Tensor) { self.function = function }
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
