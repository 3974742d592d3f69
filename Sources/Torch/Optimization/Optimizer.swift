/// What moves parameters down their gradients.
///
/// The state may be spread over the processes of a group: then all of them call the same members in the same order, and
/// what needs the others throws ``ProcessGroupError`` when one is gone.
public protocol Optimizer: AnyObject {
  /// The number of steps taken.
  var step: Int { get }

  /// The Euclidean norm of all gradients together.
  func gradientNorm() -> Double

  /// Takes a step down the gradients, each multiplied by `gradientScale` (for clipping), and forgets them.
  func update(learningRate: Double, gradientScale: Double) throws

  /// Forgets the gradients without a step.
  func clearGradients()

  /// The float32 values of the trained parameters by name: what a checkpoint of the model holds.
  var masters: [String: Tensor] { get throws }

  /// The running means by name, for a checkpoint of the run.
  var moments: [String: Tensor] { get throws }

  /// Goes on from stored running means and a step count. Masters are given to the initializer.
  ///
  /// - Throws: ``OptimizerError`` where a tensor is missing or has another shape.
  func restore(moments: [String: Tensor], step: Int) throws
}
