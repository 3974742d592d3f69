import CTorch

/// Averages gradients over the processes of a group, overlapped with the backward pass.
///
///     reducer.begin()
///     loss.backward()
///     let traffic = try reducer.finish()      // every parameter's gradient is now the same in every process
///
/// Backward passes before ``begin(scale:)`` accumulate gradients locally; the last pass sends the sums.
public final class GradientReducer {
  /// The time spent on communication.
  public struct Traffic: Equatable, Sendable {
    /// Seconds during which at least one bucket was in flight. Not measured on a GPU, where it equals ``waited``.
    public var communicating = 0.0
    /// Seconds that the process waited after its backward pass: the communication that was not overlapped.
    public var waited = 0.0

    /// Zero seconds.
    public init() {}
  }

  private let handle: ct_gradient_reducer
  private let group: ProcessGroup

  /// - Parameters:
  ///   - parameters: the trained parameters in the order of the forward pass, the same in every process.
  ///   - group: the processes.
  ///   - bucketBytes: the size of the buckets in which gradients are sent.
  public init(_ parameters: [Tensor], over group: ProcessGroup, bucketBytes: Int = 4 << 20) {
    var handle: ct_gradient_reducer?
    withExtendedLifetime(parameters) {
      check(
        ct_gradient_reducer_new(
          &handle, group.handle, parameters.map { Optional($0.handle) }, Int32(parameters.count), Int64(bucketBytes)))
    }
    guard let handle else { fatalError("GradientReducer: no handle") }
    (self.handle, self.group) = (handle, group)
  }

  deinit { ct_gradient_reducer_free(handle) }

  /// Announces the last backward pass before ``finish()``.
  ///
  /// - Parameter scale: the factor for this process's gradients before the sum; by default 1/count, which gives the
  ///   mean.
  public func begin(scale: Double? = nil) {
    check(ct_gradient_reducer_begin(handle, scale ?? 1 / Double(group.count)))
  }

  /// Waits for the sums and stores them as the parameters' gradients.
  ///
  /// - Throws: ``ProcessGroupError`` if a process exits or times out.
  @discardableResult
  public func finish() throws(ProcessGroupError) -> Traffic {
    var traffic = Traffic()
    guard ct_gradient_reducer_finish(handle, &traffic.communicating, &traffic.waited) == 0 else {
      throw group.failure()
    }
    return traffic
  }
}
