import Torch

/// The processes that train one model together: each takes its share of every batch, and all take the same step.
///
/// Every process calls the same members in the same order.
public protocol DataParallelGroup: AnyObject {
  /// This process among them, 0 ..< ``count``. The first one writes the run's files.
  var rank: Int { get }
  /// How many there are.
  var count: Int { get }

  /// Gives every process the first one's values of these tensors, so that all begin with the same weights.
  func share(_ tensors: [Tensor]) throws

  /// The optimizer that all of them use.
  ///
  /// - Parameters:
  ///   - parameters: in the type in which the model computes.
  ///   - masters: their float32 values, by name.
  func optimizer(
    of parameters: [NamedParameter], masters: [String: Tensor], settings: AdamW.Settings
  ) -> any Optimizer

  /// What communication took so far, for the metrics.
  var figures: [String: Double] { get }

  /// Called once, before the first step, with the parameters whose gradients will be averaged.
  func begin(_ parameters: [NamedParameter])

  /// Called before the last backward pass of a step: gradients may travel while it runs.
  func expectGradients()

  /// Called after it: makes each parameter's gradient the mean over the processes.
  func averageGradients() throws

  /// The sums of figures over the processes.
  func sum(_ values: [Double]) throws -> [Double]
}

extension DataParallelGroup {
  /// An ``AdamW`` that each process has whole.
  public func optimizer(
    of parameters: [NamedParameter], masters: [String: Tensor], settings: AdamW.Settings
  ) -> any Optimizer {
    AdamW(parameters, masters: masters, settings: settings)
  }

  /// No figures: nothing is counted.
  public var figures: [String: Double] { [:] }
}

/// A process that trains alone.
public final class SingleProcess: DataParallelGroup {
  /// The only process there is.
  public init() {}

  /// 0, the first.
  public var rank: Int { 0 }
  /// 1.
  public var count: Int { 1 }
  /// There is nobody to give them to.
  public func share(_ tensors: [Tensor]) {}
  /// Nothing is sent, so nothing is laid out.
  public func begin(_ parameters: [NamedParameter]) {}
  /// Nothing is sent.
  public func expectGradients() {}
  /// The gradients are the means already.
  public func averageGradients() {}
  /// The values themselves.
  public func sum(_ values: [Double]) -> [Double] { values }
}
