import Torch

/// A data-parallel group of several processes.
public final class MultiProcess: DataParallelGroup {
  /// The process group for communication.
  public let group: ProcessGroup
  /// The time spent on exchanging gradients in all steps.
  public private(set) var traffic = GradientReducer.Traffic()
  private let shardsOptimizer: Bool
  private var reducer: GradientReducer?

  /// Creates a data-parallel group.
  ///
  /// - Parameter shardsOptimizer: whether each process keeps only its shard of the optimizer state.
  public init(_ group: ProcessGroup, shardsOptimizer: Bool = false) {
    (self.group, self.shardsOptimizer) = (group, shardsOptimizer)
  }

  /// The number of this process in the group.
  public var rank: Int { group.rank }
  /// The number of processes in the group.
  public var count: Int { group.count }

  /// Broadcasts the tensors from process 0.
  public func share(_ tensors: [Tensor]) throws {
    for tensor in tensors { try group.broadcast(tensor) }
  }

  /// A ``ShardedAdamW`` if the optimizer state is sharded, else an ``AdamW`` with the complete state in each process.
  public func optimizer(
    of parameters: [NamedParameter], masters: [String: Tensor], settings: AdamW.Settings
  ) -> any Optimizer {
    shardsOptimizer
      ? ShardedAdamW(parameters, masters: masters, settings: settings, over: group)
      : AdamW(parameters, masters: masters, settings: settings)
  }

  /// `communication_seconds`, the time in which gradients were exchanged, and `communication_wait_seconds`, the part of
  /// it after the backward pass; both over all steps.
  public var metrics: [String: Double] {
    ["communication_seconds": traffic.communicating, "communication_wait_seconds": traffic.waited]
  }

  /// Assigns the trained parameters to the buckets in which gradients are exchanged.
  public func begin(_ parameters: [NamedParameter]) {
    reducer = GradientReducer(parameters.map(\.tensor).filter(\.requiresGradient), over: group)
  }

  /// Makes the next backward pass send each bucket as soon as it is full.
  public func expectGradients() {
    reducer?.begin()
  }

  /// Waits for the means of the gradients and measures the time.
  ///
  /// - Throws: ``ProcessGroupError`` if another process has ended or does not respond in time.
  public func averageGradients() throws {
    guard let step = try reducer?.finish() else { return }
    traffic.communicating += step.communicating
    traffic.waited += step.waited
  }

  /// The sums over the processes, in the order of the values.
  ///
  /// - Throws: ``ProcessGroupError`` if another process has ended or does not respond in time.
  public func sum(_ values: [Double]) throws -> [Double] {
    let tensor = Tensor(values)
    try group.sum(tensor)
    return tensor.elements()
  }
}
