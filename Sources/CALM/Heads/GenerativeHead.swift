import Torch

/// The part of a language model that samples the next latent given a hidden state, with its training loss.
///
/// A head is a class that conforms to this protocol, and a case of ``HeadKind``.
package protocol GenerativeHead: Module {
  /// The class name of such models in the official code: `architectures` in `config.json`.
  static var architecture: String { get }
  /// The prefix of its parameters' names in a checkpoint.
  static var key: String { get }

  /// A tensor whose name and shape identify such a head in a checkpoint whose configuration does not name it.
  static func signatureTensor(of configuration: LanguageModelConfiguration) -> (name: String, shape: [Int])

  /// The cost of a head with these sizes.
  static func cost(of configuration: LanguageModelConfiguration) -> HeadCost

  /// A head with initial weights.
  init(_ configuration: LanguageModelConfiguration, generator: Generator)

  /// The number of random numbers per sample.
  var noiseCount: Int { get }

  /// The random numbers of samples, [samples, positions, …]. Dimensions 0 and 1 may be split and concatenated.
  func noise(samples: Int, positions: Int, generator: Generator) -> Tensor

  /// Samples of the latent.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - noise: the result of ``noise(samples:positions:generator:)``.
  /// - Returns: [samples, positions, l].
  func callAsFunction(_ hidden: Tensor, noise: Tensor) -> Tensor

  /// The training loss, a mean over positions: a float32 scalar.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - targets: the distributions of the true latents, [positions, l], without gradients.
  ///   - generator: the source of all random numbers of the loss.
  func loss(hidden: Tensor, targets: LatentDistribution, generator: Generator) -> Tensor
}

/// The cost of a generative head at one position: see ``ModelCost`` for the counting rule.
package struct HeadCost {
  /// The number of parameters.
  package let parameters: Int
  /// Multiply-accumulate operations per sample.
  package let inferenceMACs: Int
  /// Multiply-accumulate operations of the forward pass in training.
  package let trainingMACs: Int
  /// Values that a training step keeps for its backward pass: see ``ActivationCost`` for the counting rule.
  package let activations: Int
}
