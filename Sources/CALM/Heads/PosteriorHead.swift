import Torch

/// A generative head by a flow over token embeddings whose velocity follows from a posterior over tokens.
///
/// The vector of a chunk consists of one embedding e(v) of size d for each of its K tokens, each with norm √d. A
/// straight path x = (1 − t)·ε + t·(e(v₁), …, e(v_K)) leads from noise ε to that vector. Bayes' rule gives the
/// posterior of each token, given a point on the path and the hidden state h:
///
///     log p(v_k = v | x, h) = prior_k(v | h) + t/(1 − t)² · ⟨e(v), x_k⟩ + coupling_k(v; x, t, h) + constant
///
/// The prior predicts each token independently. The second term, the evidence, is the exact likelihood of the noise. A
/// network, whose output starts at zero, learns only the coupling: the dependence between the K tokens. The loss is the
/// cross-entropy of the true tokens at random times, one for each token. Sampling follows the path from noise: the
/// posterior mean of the embeddings is the expected end of the path, so the velocity is (mean − x)/(1 − t).
///
/// A one-step head is distilled from such a head (``DistillableHead``): it reads the noise itself, at a fixed time and
/// with a learned factor of the evidence, and predicts the tokens at the end of the path from that noise. Its beliefs
/// are single embeddings and not means, which costs less and measured the same.
package final class PosteriorHead: TokenHead, DistillableHead {
  package static let architecture = "PosteriorTransformer"
  package static let key = "posterior_head"

  @Submodule("prior") package var prior: Linear
  @Submodule("token_embedding") var embedding: Embedding
  @Submodule("coupling") var coupling: CouplingNetwork
  /// The factor of the evidence of a one-step head, [1].
  @Parameter("evidence_scale") var evidenceScale: Tensor?
  let configuration: LanguageModelConfiguration
  /// What ``fused(_:vocabulary:)`` keeps between chunks.
  var fusion = KeptValue<Fusion>()
  /// What ``fused(_:)`` keeps between chunks.
  var pathFusion = KeptValue<PathFusion>()

  package init(_ configuration: LanguageModelConfiguration, generator: Generator) {
    self.configuration = configuration
    let (h, k) = (configuration.hiddenSize, configuration.chunkSize)
    prior = Linear(h, k * h, generator: generator)
    SharedInitialization.apply(to: prior, chunkSize: k, generator: generator)
    embedding = Embedding(
      vocabulary: configuration.vocabularySize, size: configuration.latentSize / k, deviation: 1, generator: generator)
    coupling = CouplingNetwork(configuration, inputs: configuration.latentSize + k * h, generator: generator)
    evidenceScale =
      configuration.isOneStep
      ? Tensor.full([1], Self.studentTime / (1 - Self.studentTime), device: generator.device) : nil
    setTrainable(true)
  }

  package static let studentParameters = ["evidence_scale"]

  package static func signatureTensor(of configuration: LanguageModelConfiguration) -> (name: String, shape: [Int]) {
    (
      "\(key).token_embedding.weight",
      [configuration.vocabularySize, configuration.latentSize / configuration.chunkSize]
    )
  }

  package static func cost(of configuration: LanguageModelConfiguration) -> HeadCost {
    let (h, k, l) = (configuration.hiddenSize, configuration.chunkSize, configuration.latentSize)
    let (evaluations, paths) = (configuration.isOneStep ? 1 : 2 * configuration.solverSteps, configuration.pathSamples)
    let network = CouplingNetwork.cost(
      of: configuration, inputs: l + k * h, evaluations: evaluations, trainingSamples: paths)
    let prior = h * k * h
    let (logits, evidence) = (k * h * configuration.vocabularySize, l * configuration.vocabularySize)
    // The belief takes a mean of the embeddings, except in one step.
    let belief = evidence + (configuration.isOneStep ? 0 : logits)
    // After the logits of the coupling, a path needs the mean of the embeddings e(v).
    let evaluation = belief + logits + (configuration.isOneStep ? 0 : evidence)
    return HeadCost(
      parameters: prior + k * h + configuration.vocabularySize * l / k + network.parameters,
      // The logits of the prior are computed once.
      inferenceMACs: prior + logits + evaluations * evaluation + network.inferenceMACs,
      // The belief runs only forward, at a third of the cost of a differentiated part.
      trainingMACs: prior + paths * (logits + evidence + (logits + belief) / 3) + network.trainingMACs,
      // For each path: the rows of the logits and their gradients in the loss.
      activations: network.activations + paths * 2 * (k * h + l))
  }

  // MARK: The path

  package var noiseCount: Int { configuration.latentSize }

  /// The path of the K tokens of a chunk.
  package var path: EmbeddingPath {
    EmbeddingPath(
      tokens: configuration.chunkSize, steps: configuration.solverSteps, stagger: configuration.pathStagger)
  }

  /// Standard normal numbers, the starting points of the paths: [samples, positions, K·d].
  package func noise(samples: Int, positions: Int, generator: Generator) -> Tensor {
    generator.normal([samples, positions, configuration.latentSize], along: 1)
  }

  /// The embeddings e(v), [V, d], float32, each with norm √d.
  package var codeWords: Tensor {
    let weight = embedding.weight.to(.float32)
    return weight / (weight.squared().mean(-1, keepDimensions: true) + 1e-12).squareRoot()
  }

  /// Times as inputs of the network.
  static func networkTimes(_ t: Tensor) -> Tensor { (t * Double(TimeEmbedding.times)).to(.int64) }

  /// [samples, positions, K·d] → [samples, positions, K, d].
  func parts(_ x: Tensor) -> Tensor { x.reshaped(x.shape[0], x.shape[1], configuration.chunkSize, -1) }

  // MARK: Training

  package func loss(hidden: Tensor, next: Tensor, vocabulary: Tensor, generator: Generator) -> Tensor {
    let (paths, positions) = (configuration.pathSamples, hidden.shape[0])
    let times =
      generator.uniform([paths, positions, configuration.chunkSize], along: 1).power(configuration.timePower)
      * EmbeddingPath.latestTime
    return loss(
      hidden: hidden, next: next, vocabulary: vocabulary, times: times,
      start: noise(samples: paths, positions: positions, generator: generator))
  }

  /// The mean cross-entropy of the posterior at given points on the path.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - next: the true tokens, [positions, K], int64.
  ///   - vocabulary: [V, h].
  ///   - times: t in [0, 1), [paths, positions, K], float32.
  ///   - start: ε, [paths, positions, K·d].
  package func loss(hidden: Tensor, next: Tensor, vocabulary: Tensor, times: Tensor, start: Tensor) -> Tensor {
    let (paths, positions) = (times.shape[0], times.shape[1])
    let codeWords = codeWords
    let end = Torch.embedding(next, weight: codeWords).reshaped(positions, -1)  // [positions, K·d]
    let t = times.reshaped(paths, positions, configuration.chunkSize, 1)
    let x = parts(start) * (1 - t) + end.reshaped(positions, configuration.chunkSize, -1) * t
    return crossEntropy(
      of: .concatenated(Array(repeating: next.reshaped(-1), count: paths)), at: x.reshaped(start.shape),
      evidence: (x * EmbeddingPath.precision(t)).reshaped(start.shape), times: Self.networkTimes(times), hidden: hidden,
      vocabulary: vocabulary, codeWords: codeWords)
  }

  /// The cross-entropy with the tokens at the end of the teacher's path as targets.
  ///
  /// - Parameter teacher: a posterior head that samples in several steps.
  package func distillationLoss(
    from teacher: any GenerativeHead, hidden: Tensor, noise: Tensor, vocabulary: Tensor
  ) throws(GenerationError) -> Tensor {
    guard let evidenceScale, let teacher = teacher as? PosteriorHead else {
      preconditionFailure("a one-step head learns from a posterior head")
    }
    let ends = try teacher.tokens(hidden, noise: noise, vocabulary: vocabulary)
    return crossEntropy(
      of: ends.to(.int64).reshaped(-1), at: noise, evidence: noise * evidenceScale.to(.float32),
      times: studentTimes(noise.device), hidden: hidden, vocabulary: vocabulary, codeWords: codeWords)
  }

  /// The time that a one-step head gives its network. At this time, the task of its teacher is closest to its own.
  static let studentTime = 0.3

  func studentTimes(_ device: Device) -> Tensor {
    let time = Int64(Self.studentTime * Double(TimeEmbedding.times))
    return Tensor(Array(repeating: time, count: configuration.chunkSize), device: device)
  }

  /// The mean cross-entropy of the posterior.
  ///
  /// - Parameters:
  ///   - targets: [paths·positions·K], int64.
  ///   - x: points, [paths, positions, K·d].
  ///   - evidence: the factor of the embeddings, in the same shape.
  ///   - times: the inputs of the time embedding; see ``AdaptiveNetwork``.
  private func crossEntropy(
    of targets: Tensor, at x: Tensor, evidence: Tensor, times: Tensor, hidden: Tensor, vocabulary: Tensor,
    codeWords: Tensor
  ) -> Tensor {
    let priorRows = prior(hidden)  // [positions, K·h]
    let belief = withoutGradients {
      self.belief(evidence, prior: priorRows, vocabulary: vocabulary, codeWords: codeWords)
    }
    let rows =
      coupling(
        input(x, belief), times: times, condition: coupling.embedded(hidden)) + priorRows  // [paths, positions, K·h]
    return PosteriorLogits(
      rows: rows.reshaped(targets.count, -1), evidence: evidence.reshaped(targets.count, -1), vocabulary: vocabulary,
      codeWords: codeWords
    ).crossEntropy(targets)
  }

  /// The input of the network: a point on the path and the belief, [samples, positions, K·d + K·h].
  func input(_ x: Tensor, _ belief: Tensor) -> Tensor {
    .concatenated([x.to(belief.dtype), belief], along: -1)
  }

  /// The belief about each token under prior and evidence, without coupling: the mean embedding, or in a one-step head
  /// the embedding of the most likely token. […, V] → […, h], in the type of the embeddings.
  func belief(_ known: Tensor, vocabulary: Tensor) -> Tensor {
    configuration.isOneStep
      ? Torch.embedding(known.argmax(-1), weight: vocabulary)
      : matmul(softmax(known).to(vocabulary.dtype), vocabulary)
  }

  /// The belief at points on the path in training, [paths, positions, K·h].
  private func belief(_ evidence: Tensor, prior: Tensor, vocabulary: Tensor, codeWords: Tensor) -> Tensor {
    let (positions, d, h) = (evidence.shape[1], codeWords.shape[1], configuration.hiddenSize)
    let parts = stride(from: 0, to: positions, by: positionsAtOnce).map { start in
      let range = start..<min(start + positionsAtOnce, positions)
      let rows = prior.narrowed(0, range).reshaped(-1, h)
      let own = linear(rows, weight: vocabulary).to(.float32)  // [block·K, V]
      let part = evidence.narrowed(1, range)
      let known = linear(part.reshaped(part.shape[0], -1, d), weight: codeWords) + own
      return belief(known, vocabulary: vocabulary).reshaped(part.shape[0], part.shape[1], -1)
    }
    return parts.count == 1 ? parts[0] : .concatenated(parts, along: 1)
  }
}
