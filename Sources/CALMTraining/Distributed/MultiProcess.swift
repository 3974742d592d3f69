import Torch

/// Processes that train one model together, each with its share of every batch.
public final class MultiProcess: DataParallelGroup {
  /// The processes.
  public let group: ProcessGroup
  /// How long gradients were under way, all steps together.
  public private(set) var traffic = GradientReducer.Traffic()
  private let shardsOptimizer: Bool
  private var reducer: GradientReducer?

  /// A training shared by the processes of a group.
  ///
  /// - Parameter shardsOptimizer: whether each process keeps only its share of the optimizer's state.
  public init(_ group: ProcessGroup, shardsOptimizer: Bool = false) {
    (self.group, self.shardsOptimizer) = (group, shardsOptimizer)
  }

  /// The number of this process in the group.
  public var rank: Int { group.rank }
  /// The number of processes in the group.
  public var count: Int { group.count }

  /// Broadcasts them from process 0.
  public func share(_ tensors: [Tensor]) throws {
    for tensor in tensors { try group.broadcast(tensor) }
  }

  /// A ``ShardedAdamW`` where the state is spread over the processes, else an ``AdamW`` that each has whole.
  public func optimizer(
    of parameters: [NamedParameter], masters: [String: Tensor], settings: AdamW.Settings
  ) -> any Optimizer {
    shardsOptimizer
      ? ShardedAdamW(parameters, masters: masters, settings: settings, over: group)
      : AdamW(parameters, masters: masters, settings: settings)
  }

  /// `communication_seconds`, in which gradients were under way, and `communication_wait_seconds`, waited for them
  /// after the backward pass; all steps together.
  public var figures: [String: Double] {
    ["communication_seconds": traffic.communicating, "communication_wait_seconds": traffic.waited]
  }

  /// Prepares the buckets in which gradients travel, of the parameters that are trained.
  public func begin(_ parameters: [NamedParameter]) {
    reducer = GradientReducer(parameters.map(\.tensor).filter(\.requiresGradient), over: group)
  }

  /// Has the next backward pass send each bucket as soon as it is full.
  public func expectGradients() {
    reducer?.begin()
  }

  /// Waits for the means, and counts the time that they took.
  ///
  /// - Throws: ``ProcessGroupError`` where another process is gone or late.
  public func averageGradients() throws {
    guard let step = try reducer?.finish() else { return }
    traffic.communicating += step.communicating
    traffic.waited += step.waited
  }

  /// The sums over the processes, in the order of the values.
  ///
  /// - Throws: ``ProcessGroupError`` where another process is gone or late.
  public func sum(_ values: [Double]) throws -> [Double] {
    let tensor = Tensor(values)
    try group.sum(tensor)
    return tensor.elements()
  }
}
