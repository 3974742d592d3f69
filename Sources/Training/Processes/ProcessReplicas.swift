import Torch

/// Processes that train one model together, each with its share of every batch.
public final class ProcessReplicas: Replicas {
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

  public var rank: Int { group.rank }
  public var count: Int { group.count }

  public func optimizer(
    of parameters: [NamedParameter], masters: [String: Tensor], settings: AdamW.Settings
  ) -> any Optimizer {
    shardsOptimizer
      ? ShardedAdamW(parameters, masters: masters, settings: settings, over: group)
      : AdamW(parameters, masters: masters, settings: settings)
  }

  public var figures: [String: Double] {
    ["communication_seconds": traffic.communicating, "communication_wait_seconds": traffic.waited]
  }

  public func begin(_ parameters: [NamedParameter]) {
    reducer = GradientReducer(parameters.map(\.tensor).filter(\.requiresGradient), over: group)
  }

  public func expectGradients() {
    reducer?.begin()
  }

  public func averageGradients() throws {
    guard let step = try reducer?.finish() else { return }
    traffic.communicating += step.communicating
    traffic.waited += step.waited
  }

  public func sum(_ values: [Double]) throws -> [Double] {
    let tensor = Tensor(values)
    try group.sum(tensor)
    return tensor.elements()
  }
}
