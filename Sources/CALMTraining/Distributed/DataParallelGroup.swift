import Torch

/// The processes that train one model together: each computes its rows of every batch, and all take the same step.
///
/// All processes must call the same members in the same order.
public protocol DataParallelGroup: AnyObject {
  /// The number of this process, 0 ..< ``count``. Process 0 writes the files of the run.
  var rank: Int { get }
  /// The number of processes.
  var count: Int { get }

  /// Copies these tensors from process 0 to all others, so that all start with the same weights.
  func share(_ tensors: [Tensor]) throws

  /// Creates the optimizer.
  ///
  /// - Parameters:
  ///   - parameters: the parameters in the compute type.
  ///   - masters: their float32 values, by name.
  func optimizer(
    of parameters: [NamedParameter], masters: [String: Tensor], settings: AdamW.Settings
  ) -> any Optimizer

  /// The time spent in communication so far, by name, for the metrics.
  var metrics: [String: Double] { get }

  /// Called once before the first step, with the parameters whose gradients are averaged.
  func begin(_ parameters: [NamedParameter])

  /// Called before the last backward pass of a step, which may overlap with the exchange of gradients.
  func expectGradients()

  /// Called after that backward pass: replaces each gradient with its mean over the processes.
  func averageGradients() throws

  /// Sums values over the processes.
  func sum(_ values: [Double]) throws -> [Double]
}

extension DataParallelGroup {
  /// An ``AdamW`` with the complete state in each process.
  public func optimizer(
    of parameters: [NamedParameter], masters: [String: Tensor], settings: AdamW.Settings
  ) -> any Optimizer {
    AdamW(parameters, masters: masters, settings: settings)
  }

  /// Empty: communication is not measured.
  public var metrics: [String: Double] { [:] }
}

/// A process that trains alone.
public final class SingleProcess: DataParallelGroup {
  /// Creates a group of one process.
  public init() {}

  /// 0.
  public var rank: Int { 0 }
  /// 1.
  public var count: Int { 1 }
  /// Does nothing.
  public func share(_ tensors: [Tensor]) {}
  /// Does nothing.
  public func begin(_ parameters: [NamedParameter]) {}
  /// Does nothing.
  public func expectGradients() {}
  /// Does nothing: the gradients are already the means.
  public func averageGradients() {}
  /// Returns the values unchanged.
  public func sum(_ values: [Double]) -> [Double] { values }
}
