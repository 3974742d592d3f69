/// An algorithm that updates parameters with their gradients.
///
/// The state may be partitioned over the processes of a group. All processes then call the same members in the same
/// order, and members that communicate throw ``ProcessGroupError`` if another process exits or times out.
public protocol Optimizer: AnyObject {
  /// The number of steps taken.
  var step: Int { get }

  /// The Euclidean norm of all gradients.
  func gradientNorm() -> Double

  /// Takes a step with the gradients, scaled by `gradientScale` for clipping, and clears them.
  func update(learningRate: Double, gradientScale: Double) throws

  /// Clears the gradients without a step.
  func clearGradients()

  /// The float32 values of the trained parameters by name, for a checkpoint of the model.
  var masters: [String: Tensor] { get throws }

  /// The first and second moments by name, for a checkpoint of the run.
  var moments: [String: Tensor] { get throws }

  /// Restores the moments and the step count. Masters are passed to the initializer.
  ///
  /// - Throws: ``OptimizerError`` if a tensor is missing or has the wrong shape.
  func restore(moments: [String: Tensor], step: Int) throws
}
