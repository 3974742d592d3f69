import Torch

/// The part of a language model that samples the next latent given a hidden state, and how it is trained to.
///
/// A head is one file with a class of this kind and one line in ``HeadKind``, where heads are registered.
package protocol GenerativeHead: Module {
  /// Its name as `model_type` and on the command line.
  static var name: String { get }
  /// The class name of such models in the official code, as `architectures` has it.
  static var architecture: String { get }
  /// What stands before the names of its parameters in a checkpoint.
  static var key: String { get }

  /// The weight that tells such a head from the others in a checkpoint whose configuration does not say.
  static func mark(of configuration: LanguageModelConfiguration) -> (name: String, shape: [Int])

  /// What a head with these sizes costs.
  static func cost(of configuration: LanguageModelConfiguration) -> HeadCost

  /// A head with fresh weights.
  init(_ configuration: LanguageModelConfiguration, generator: Generator)

  /// How many random numbers a sample takes.
  var noiseCount: Int { get }

  /// The random numbers of samples, [samples, positions, …]: dimensions 0 and 1 may be cut and joined.
  func noise(samples: Int, positions: Int, generator: Generator) -> Tensor

  /// Samples of the latent.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - noise: what ``noise(samples:positions:generator:)`` gives.
  /// - Returns: [samples, positions, l].
  func callAsFunction(_ hidden: Tensor, noise: Tensor) -> Tensor

  /// The training loss, a mean over positions: a float32 scalar.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - targets: the true latents of the positions, which carry no gradient.
  ///   - generator: for everything that the loss draws.
  func loss(hidden: Tensor, targets: LatentDistribution, generator: Generator) -> Tensor
}

/// What a generative head costs: see ``ModelCost`` for the rule of counting.
package struct HeadCost {
  /// Numbers in its parameters.
  package let parameters: Int
  /// Multiplications to draw one sample.
  package let inference: Int
  /// Multiplications of the forward pass in training.
  package let training: Int
}
