import Torch

/// A generative head by a flow over token embeddings whose velocity follows from a posterior over tokens.
///
/// The vector of a chunk is made of one embedding e(v) of size d for each of its K tokens, all of the norm √d. A straight
/// path x = (1 − t)·ε + t·(e(v₁), …, e(v_K)) leads from noise ε to that vector. Bayes' rule gives the posterior of each
/// token, given a point of the path and the hidden state h:
///
///     log p(v_k = v | x, h) = prior_k(v | h) + t/(1 − t)² · ⟨e(v), x_k⟩ + coupling_k(v; x, t, h) + constant
///
/// The prior predicts each token on its own. The second term, the evidence, is the exact likelihood of the noise. Only
/// the coupling, how the K tokens depend on each other, is left to a network, whose output starts at zero. The loss is
/// the cross-entropy of the true tokens at a random t. Sampling follows the path from noise: the posterior's mean of the
/// embeddings is where the path ends, so the velocity is (mean − x)/(1 − t).
///
/// A one-step head is distilled from such a head (``DistillableHead``): it reads the noise itself, at one time and with a
/// learned factor of the evidence, and predicts the tokens at the end of the path from that noise.
package final class PosteriorHead: TokenHead, DistillableHead {
  package static let architecture = "PosteriorTransformer"
  package static let key = "posterior_head"

  @Submodule("prior") package var prior: Linear
  @Submodule("token_embedding") var embedding: Embedding
  @Submodule("coupling") var coupling: AdaptiveNetwork
  /// The factor of the evidence of a one-step head, [1].
  @Parameter("evidence_scale") var evidenceScale: Tensor?
  private let configuration: LanguageModelConfiguration

  package init(_ configuration: LanguageModelConfiguration, generator: Generator) {
    self.configuration = configuration
    let (h, k) = (configuration.hiddenSize, configuration.chunkSize)
    prior = Linear(h, k * h, generator: generator)
    SharedInitialization.apply(to: prior, chunkSize: k, generator: generator)
    embedding = Embedding(
      vocabulary: configuration.vocabularySize, size: configuration.latentSize / k, deviation: 1, generator: generator)
    coupling = AdaptiveNetwork(
      configuration, inputs: configuration.latentSize + k * h, outputs: k * h, times: k, generator: generator)
    evidenceScale =
      configuration.isOneStep
      ? Tensor.full([1], Self.studentTime / (1 - Self.studentTime), device: generator.device) : nil
    setTrainable(true)
  }

  package static func signatureTensor(of configuration: LanguageModelConfiguration) -> (name: String, shape: [Int]) {
    (
      "\(key).token_embedding.weight",
      [configuration.vocabularySize, configuration.latentSize / configuration.chunkSize]
    )
  }

  package static func cost(of configuration: LanguageModelConfiguration) -> HeadCost {
    let (h, k, l) = (configuration.hiddenSize, configuration.chunkSize, configuration.latentSize)
    let (evaluations, paths) = (configuration.isOneStep ? 1 : 2 * configuration.solverSteps, configuration.pathSamples)
    let network = AdaptiveNetwork.cost(
      of: configuration, inputs: l + k * h, outputs: k * h, times: k, evaluations: evaluations, trainingSamples: paths)
    let prior = h * k * h
    // Logits of the prior once; per evaluation the evidence, the belief, the logits of the coupling and their mean.
    let (logits, evidence) = (k * h * configuration.vocabularySize, l * configuration.vocabularySize)
    return HeadCost(
      parameters: prior + k * h + configuration.vocabularySize * l / k + network.parameters,
      inferenceMACs: prior + logits + evaluations * (2 * logits + 2 * evidence) + network.inferenceMACs,
      // The belief runs forward only, a third of a part that is differentiated.
      trainingMACs: prior + paths * (logits + evidence + (2 * logits + evidence) / 3) + network.trainingMACs,
      // Of each path: the rows of the logits, and of the loss their gradients.
      activations: network.activations + paths * 2 * (k * h + l))
  }

  // MARK: The path

  package var noiseCount: Int { configuration.latentSize }

  /// Standard normal numbers, the start of the path: [samples, positions, K·d].
  package func noise(samples: Int, positions: Int, generator: Generator) -> Tensor {
    generator.normal([samples, positions, configuration.latentSize], along: 1)
  }

  /// The embeddings e(v), [V, d], float32, each of the norm √d.
  var codeWords: Tensor {
    let weight = embedding.weight.to(.float32)
    return weight / (weight.squared().mean(-1, keepDimensions: true) + 1e-12).squareRoot()
  }

  /// The factor of ⟨e(v), x⟩ in the logarithm of the noise's density at times t: t/(1 − t)².
  private static func precision(_ t: Tensor) -> Tensor { t / (1 - t).squared() }

  /// The last time of the path in training and sampling. From there on, the evidence alone decides.
  private static let latestTime = 0.9

  /// The times of the K tokens at a point s in [0, 1] of sampling, [K], float32. With a stagger of 0 all tokens go at
  /// once, with 1 one after the other.
  private func times(at s: Double, device: Device) -> Tensor {
    let k = configuration.chunkSize
    let span = 1 + configuration.pathStagger * Double(k - 1)
    let times = (0..<k).map { min(1, max(0, s * span - configuration.pathStagger * Double($0))) * Self.latestTime }
    return Tensor(times.map(Float.init), device: device)
  }

  /// Times as inputs of the network.
  private static func networkTimes(_ t: Tensor) -> Tensor { (t * Double(TimeEmbedding.times)).to(.int64) }

  /// [samples, positions, K·d] → [samples, positions, K, d].
  private func parts(_ x: Tensor) -> Tensor { x.reshaped(x.shape[0], x.shape[1], configuration.chunkSize, -1) }

  // MARK: Sampling

  package func tokens(
    _ hidden: Tensor, noise: Tensor, vocabulary: Tensor
  ) throws(GenerationError) -> Tensor {
    let codeWords = codeWords
    let (samples, positions) = (noise.shape[0], noise.shape[1])
    let size = BlockSize(configuration)
    let rows = try stride(from: 0, to: positions, by: size.positions).map { (start) throws(GenerationError) in
      let range = start..<min(start + size.positions, positions)
      let context = context(hidden.narrowed(0, range), vocabulary: vocabulary, codeWords: codeWords)
      let atOnce = max(1, size.positions / range.count)
      let parts = try stride(from: 0, to: samples, by: atOnce).map { (first) throws(GenerationError) in
        let part = first..<min(first + atOnce, samples)
        return try solve(noise.narrowed(1, range).narrowed(0, part), context)
      }
      return Tensor.concatenated(parts)
    }
    return rows.count == 1 ? rows[0] : .concatenated(rows, along: 1)
  }

  /// What all points of the paths of some positions share.
  private struct Context {
    /// The logits of the prior, [positions·K, V], float32.
    let prior: Tensor
    /// The condition of the network, [positions, h].
    let condition: Tensor
    let vocabulary: Tensor
    let codeWords: Tensor
  }

  private func context(_ hidden: Tensor, vocabulary: Tensor, codeWords: Tensor) -> Context {
    let rows = prior(hidden).reshaped(-1, configuration.hiddenSize)  // [positions·K, h]
    return Context(
      prior: matmul(rows, vocabulary.transposed()).to(.float32), condition: coupling.embedded(hidden),
      vocabulary: vocabulary, codeWords: codeWords)
  }

  /// Follows the paths from noise by the midpoint rule. The tokens are the most likely ones at the last midpoint. A
  /// one-step head reads the noise alone.
  ///
  /// - Parameter noise: [samples, positions, K·d].
  /// - Returns: [samples, positions, K], int32.
  private func solve(_ noise: Tensor, _ context: Context) throws(GenerationError) -> Tensor {
    var x = noise.to(.float32)
    if let evidenceScale {
      return try mostLikely(
        logits(x, evidence: x * evidenceScale.to(.float32), times: studentTimes(x.device), context), noise.shape)
    }
    let points = (0...2 * configuration.solverSteps).map {
      times(at: Double($0) / Double(2 * configuration.solverSteps), device: x.device)
    }
    for step in 0..<configuration.solverSteps {
      let (start, middle, end) = (points[2 * step], points[2 * step + 1], points[2 * step + 2])
      let halfway = moved(x, from: start, to: middle, by: logits(x, at: start, context), at: x, start, context)
      let logits = logits(halfway, at: middle, context)
      if step == configuration.solverSteps - 1 { return try mostLikely(logits, noise.shape) }
      x = moved(x, from: start, to: end, by: logits, at: halfway, middle, context)
    }
    preconditionFailure("the solver takes at least one step")
  }

  /// The most likely tokens of [samples, positions·K, V]: [samples, positions, K], int32.
  private func mostLikely(_ logits: Tensor, _ shape: [Int]) throws(GenerationError) -> Tensor {
    guard logits.isFinite().all() else { throw .notFinite }
    return logits.argmax().to(.int32).reshaped(shape[0], shape[1], configuration.chunkSize)
  }

  /// x + (end − start)·(mean of the posterior − y)/(1 − t), with logits of the posterior at a point y at times t:
  /// [samples, positions, K·d].
  private func moved(
    _ x: Tensor, from start: Tensor, to end: Tensor, by logits: Tensor, at y: Tensor, _ t: Tensor, _ context: Context
  ) -> Tensor {
    let mean = matmul(softmax(logits), context.codeWords).reshaped(parts(y).shape)
    let factor = ((end - start) / (1 - t)).reshaped(-1, 1)  // [K, 1]
    return (parts(x) + (mean - parts(y)) * factor).reshaped(x.shape)
  }

  /// The logits of the posterior, [samples, positions·K, V], float32.
  ///
  /// - Parameter x: [samples, positions, K·d], float32.
  private func logits(_ x: Tensor, at t: Tensor, _ context: Context) -> Tensor {
    let evidence = parts(x) * Self.precision(t).reshaped(-1, 1)
    return logits(x, evidence: evidence, times: Self.networkTimes(t), context)
  }

  /// - Parameter evidence: the factor of the embeddings, in the size of x.
  private func logits(_ x: Tensor, evidence: Tensor, times: Tensor, _ context: Context) -> Tensor {
    let (samples, h) = (x.shape[0], configuration.hiddenSize)
    let evidence = evidence.reshaped(samples, -1, context.codeWords.shape[1])  // [samples, positions·K, d]
    let known = matmul(evidence, context.codeWords.transposed()) + context.prior
    let belief = belief(known, vocabulary: context.vocabulary).reshaped(samples, x.shape[1], -1)
    let rows = coupling(input(x, belief), times: times, condition: context.condition)
    return known + matmul(rows.reshaped(samples, -1, h), context.vocabulary.transposed()).to(.float32)
  }

  // MARK: Training

  package func loss(hidden: Tensor, next: Tensor, vocabulary: Tensor, generator: Generator) -> Tensor {
    let (paths, positions) = (configuration.pathSamples, hidden.shape[0])
    let times =
      generator.uniform([paths, positions, configuration.chunkSize], along: 1).power(configuration.timePower)
      * Self.latestTime
    return loss(
      hidden: hidden, next: next, vocabulary: vocabulary, times: times,
      start: noise(samples: paths, positions: positions, generator: generator))
  }

  /// The mean cross-entropy of the posterior at given points of the path.
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
      evidence: (x * Self.precision(t)).reshaped(start.shape), times: Self.networkTimes(times), hidden: hidden,
      vocabulary: vocabulary, codeWords: codeWords)
  }

  /// The tokens at the end of the teacher's path are the targets of the cross-entropy.
  package func distillationLoss(
    from teacher: any GenerativeHead, hidden: Tensor, noise: Tensor, vocabulary: Tensor
  ) throws(GenerationError) -> Tensor {
    guard let teacher = teacher as? PosteriorHead, let evidenceScale else {
      preconditionFailure("a one-step head learns from a head of its kind")
    }
    let ends = try teacher.tokens(hidden, noise: noise, vocabulary: vocabulary)
    return crossEntropy(
      of: ends.to(.int64).reshaped(-1), at: noise, evidence: noise * evidenceScale.to(.float32),
      times: studentTimes(noise.device), hidden: hidden, vocabulary: vocabulary, codeWords: codeWords)
  }

  /// The time that a one-step head gives its network; that of its teacher there is nearest to what it has to do.
  private static let studentTime = 0.3

  private func studentTimes(_ device: Device) -> Tensor {
    let time = Int64(Self.studentTime * Double(TimeEmbedding.times))
    return Tensor(Array(repeating: time, count: configuration.chunkSize), device: device)
  }

  /// The mean cross-entropy of the posterior.
  ///
  /// - Parameters:
  ///   - targets: [paths·positions·K], int64.
  ///   - x: points, [paths, positions, K·d].
  ///   - evidence: the factor of the embeddings, in the same shape.
  ///   - times: the inputs of the time embedding: see ``AdaptiveNetwork``.
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

  /// What the network reads: a point of the path and the belief, [samples, positions, K·d + K·h].
  private func input(_ x: Tensor, _ belief: Tensor) -> Tensor {
    .concatenated([x.to(belief.dtype), belief], along: -1)
  }

  /// The mean embedding of each token under prior and evidence alone: […, V] → […, h], in the type of the embeddings.
  private func belief(_ known: Tensor, vocabulary: Tensor) -> Tensor {
    matmul(softmax(known).to(vocabulary.dtype), vocabulary)
  }

  /// The same for points of the path in training, [paths, positions, K·h].
  private func belief(_ evidence: Tensor, prior: Tensor, vocabulary: Tensor, codeWords: Tensor) -> Tensor {
    let (positions, d, h) = (evidence.shape[1], codeWords.shape[1], configuration.hiddenSize)
    let size = BlockSize(configuration).positions
    let parts = stride(from: 0, to: positions, by: size).map { start in
      let range = start..<min(start + size, positions)
      let rows = prior.narrowed(0, range).reshaped(-1, h)
      let own = matmul(rows, vocabulary.transposed()).to(.float32)  // [block·K, V]
      let part = evidence.narrowed(1, range)
      let known = matmul(part.reshaped(part.shape[0], -1, d), codeWords.transposed()) + own
      return belief(known, vocabulary: vocabulary).reshaped(part.shape[0], part.shape[1], -1)
    }
    return parts.count == 1 ? parts[0] : .concatenated(parts, along: 1)
  }

  /// The positions whose logits take a few megabytes.
  private struct BlockSize {
    let positions: Int

    init(_ configuration: LanguageModelConfiguration) {
      positions = max(1, (1 << 20) / (configuration.chunkSize * configuration.vocabularySize))
    }
  }
}
