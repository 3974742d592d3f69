import Torch

/// The part of a language model that samples the next chunk given a hidden state, with its training loss.
///
/// A head is a class that conforms to ``LatentHead`` or ``TokenHead``, and a case of ``HeadKind``.
package protocol GenerativeHead: Module {
  /// The class name of models with such a head in the official code: `architectures` in `config.json`.
  static var architecture: String { get }
  /// The prefix of the head's parameter names in a checkpoint.
  static var key: String { get }

  /// A tensor whose name and shape identify such a head in a checkpoint whose configuration does not name it.
  static func signatureTensor(of configuration: LanguageModelConfiguration) -> (name: String, shape: [Int])

  /// The cost of a head with these sizes.
  static func cost(of configuration: LanguageModelConfiguration) -> HeadCost

  /// A head with initial weights.
  init(_ configuration: LanguageModelConfiguration, generator: Generator)

  /// Whether it samples the tokens of a chunk one after the other. Then samples that begin alike share that work, and
  /// a chunk that begins with given tokens is sampled directly: see ``BeginningTree``.
  var samplesTokenByToken: Bool { get }

  /// The number of random numbers per sample.
  var noiseCount: Int { get }

  /// The random numbers for samples, [samples, positions, …]. Dimensions 0 and 1 may be split and concatenated.
  func noise(samples: Int, positions: Int, generator: Generator) -> Tensor
}

extension GenerativeHead {
  package var samplesTokenByToken: Bool { false }
}

/// A head whose samples are latents, which the decoder of an autoencoder turns into tokens.
package protocol LatentHead: GenerativeHead {
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

/// A head whose samples are tokens. It needs no autoencoder and learns by cross-entropy.
package protocol TokenHead: GenerativeHead {
  /// Predicts each of the K tokens independently: h → K·h. The products of the K parts with the token embeddings are
  /// logits. The rest of the head models the dependence between the tokens.
  var prior: Linear { get }

  /// Samples of the chunk. Those of a position do not depend on the other positions, inside ``keepingRowsApart(_:)``
  /// not even in their bits.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - noise: the result of ``noise(samples:positions:generator:)``.
  ///   - vocabulary: the token embeddings, [V, h].
  /// - Returns: [samples, positions, K], int32.
  /// - Throws: ``GenerationError/notFinite``.
  func tokens(_ hidden: Tensor, noise: Tensor, vocabulary: Tensor) throws(GenerationError) -> Tensor

  /// The training loss in nats per token, a mean over positions: a float32 scalar.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - next: the true chunks, [positions, K], int64.
  ///   - vocabulary: the token embeddings, [V, h].
  ///   - generator: the source of all random numbers of the loss.
  func loss(hidden: Tensor, next: Tensor, vocabulary: Tensor, generator: Generator) -> Tensor

  /// The negative logarithm of the probability of chunks, or an unbiased estimate of an upper bound: see
  /// ``LikelihoodMethod``.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - next: the true chunks, [positions, K], int64.
  ///   - vocabulary: the token embeddings, [V, h].
  ///   - samples: the samples per position; an exact likelihood needs none.
  ///   - generator: the source of the samples.
  /// - Returns: in nats per chunk, [positions], float32.
  func negativeLogLikelihood(
    hidden: Tensor, next: Tensor, vocabulary: Tensor, samples: Int, generator: Generator
  ) -> Tensor
}

/// A head with a one-step form, which learns from a head of the same kind that samples in several steps.
package protocol DistillableHead: GenerativeHead {
  /// The beginnings of the names of the parameters that only a one-step head has.
  static var studentParameters: [String] { get }

  /// Makes trainable what distillation trains: by default the whole head.
  func trainAsStudent()

  /// The loss of a one-step head: the distance of its samples or predictions from what the teacher makes of the same
  /// noise. A mean over positions, a float32 scalar.
  ///
  /// - Parameters:
  ///   - teacher: a head of the same kind and sizes that samples in several steps.
  ///   - hidden: [positions, h], without gradients.
  ///   - noise: the result of ``noise(samples:positions:generator:)``.
  ///   - vocabulary: the token embeddings, [V, h], without gradients.
  /// - Throws: ``GenerationError/notFinite``.
  func distillationLoss(
    from teacher: any GenerativeHead, hidden: Tensor, noise: Tensor, vocabulary: Tensor
  ) throws(GenerationError) -> Tensor
}

extension DistillableHead {
  package static var studentParameters: [String] { [] }

  package func trainAsStudent() { setTrainable(true) }
}

/// The cost of a generative head at one position: see ``ModelCost`` for the counting rule.
package struct HeadCost {
  /// The number of parameters.
  package let parameters: Int
  /// Multiply-accumulate operations per sample.
  package let inferenceMACs: Int
  /// Multiply-accumulate operations of the forward pass in training.
  package let trainingMACs: Int
  /// Values that a training step stores for its backward pass: see ``ActivationCost`` for the counting rule.
  package let activations: Int
}
