import CTorch

/// Averages gradients over the processes of a group while the backward pass still runs.
///
///     reducer.begin()
///     loss.backward()
///     let traffic = try reducer.finish()      // every parameter's gradient is now the same in every process
///
/// Earlier backward passes without ``begin(scale:)`` accumulate as usual, and are sent with the last.
public final class GradientReducer {
  /// How long gradients were under way.
  public struct Traffic: Equatable, Sendable {
    /// Seconds in which at least one bucket was. On a GPU this is not measured, and as much as ``waited``.
    public var communicating = 0.0
    /// Seconds that the process waited for them after its backward pass: what was not hidden behind it.
    public var waited = 0.0

    /// No time.
    public init() {}
  }

  private let handle: ct_gradient_reducer
  private let group: ProcessGroup

  /// - Parameters:
  ///   - parameters: in the order of the forward pass, the same in every process; those that are trained.
  ///   - group: the processes.
  ///   - bucketBytes: gradients that are sent at once.
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
  /// - Parameter scale: what this process's gradients are multiplied by before they are summed; by default the sum
  ///   becomes the mean.
  public func begin(scale: Double? = nil) {
    check(ct_gradient_reducer_begin(handle, scale ?? 1 / Double(group.count)))
  }

  /// Waits for the sums, which become the parameters' gradients.
  ///
  /// - Throws: ``ProcessGroupError`` where a process went away, or did not come in time.
  @discardableResult
  public func finish() throws(ProcessGroupError) -> Traffic {
    var traffic = Traffic()
    guard ct_gradient_reducer_finish(handle, &traffic.communicating, &traffic.waited) == 0 else {
      throw group.failure()
    }
    return traffic
  }
}
