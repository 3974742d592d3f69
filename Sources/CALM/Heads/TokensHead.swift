import Torch

/// A head with probabilities: a small network predicts the K tokens of the next chunk one after the other.
///
/// The logits of token k are those of a prior, which predicts each token independently, plus the output of a network
/// that reads the hidden state and the k − 1 tokens before it in the chunk. There is no continuous vector; comparing it
/// with the other heads separates the cost of chunks from the cost of continuity.
///
/// A one-step head, which `calm distill` makes, has one more layer, the proposals: see ``Shortlist``.
package final class TokensHead: TokenHead, DistillableHead {
  package static let architecture = "TokensTransformer"
  package static let key = "tokens_head"

  @Submodule("prior") package var prior: Linear
  @Submodule("prefix") var prefix: [Linear]
  @Submodule("condition") var condition: Linear
  @Submodule("blocks") var blocks: [AdaptiveBlock]
  @Submodule("output") var output: AdaptiveOutput
  /// Predicts the tokens after the first from the hidden state alone, h → (K − 1)·h, in a one-step head.
  @Submodule("proposals") var proposals: Linear?
  let configuration: LanguageModelConfiguration
  /// What ``fused(_:vocabulary:)`` keeps between chunks.
  var packedWeights = KeptValue<TokensHeadWeights>()

  package init(_ configuration: LanguageModelConfiguration, generator: Generator) {
    self.configuration = configuration
    let (h, k) = (configuration.hiddenSize, configuration.chunkSize)
    prior = Linear(h, k * h, generator: generator)
    SharedInitialization.apply(to: prior, chunkSize: k, generator: generator)
    prefix = (1..<max(2, k)).map { Linear($0 * h, h, generator: generator) }
    condition = Linear(h, h, generator: generator)
    blocks = (0..<configuration.headBlocks).map { _ in AdaptiveBlock(h, generator: generator) }
    output = AdaptiveOutput(h, h, generator: generator)
    proposals = configuration.isOneStep && k > 1 ? Linear(h, (k - 1) * h, generator: generator) : nil
  }

  package static func signatureTensor(of configuration: LanguageModelConfiguration) -> (name: String, shape: [Int]) {
    ("\(key).condition.weight", [configuration.hiddenSize, configuration.hiddenSize])
  }

  package static func cost(of configuration: LanguageModelConfiguration) -> HeadCost {
    let (h, k, blocks) = (configuration.hiddenSize, configuration.chunkSize, configuration.headBlocks)
    let steps = max(1, k - 1)
    let prior = h * k * h
    let prefixes = steps * (steps + 1) / 2 * h * h
    let network = blocks * 5 * h * h + 3 * h * h
    let biases = k * h + steps * h + h + blocks * 7 * h + 3 * h
    let macs = prior + h * h + (k > 1 ? prefixes + (k - 1) * network : 0) + k * h * configuration.vocabularySize
    let parameters = prior + prefixes + h * h + network + biases
    if configuration.isOneStep {
      let (later, paths) = (k - 1, configuration.pathSamples)
      return HeadCost(
        parameters: parameters + later * (h * h + h),
        // The products with the token embeddings, and those of the proposals, are shared by the samples of a position.
        inferenceMACs: macs + later * (h * h + configuration.shortlistSize * h),
        trainingMACs: later * (h * h + paths * h * configuration.vocabularySize),
        activations: h + paths * later * 2 * h)
    }
    return HeadCost(
      parameters: parameters, inferenceMACs: macs, trainingMACs: macs,
      // The hidden state, its condition and their SiLU; for each token its prefix, the values of ``AdaptiveNetwork``,
      // the row of the logits and its gradient.
      activations: 3 * h + k * (k * h / 2 + blocks * 9 * h + 4 * h + 2 * h))
  }

  // MARK: Logits

  /// The vectors whose products with the token embeddings are the logits of token k, […, h].
  ///
  /// - Parameters:
  ///   - prior: the rows of the prior for token k, [positions, h].
  ///   - earlier: the embeddings of the k tokens before it in the chunk, […, positions, k·h]; nil for the first.
  ///   - condition: the result of the condition layer, [positions, h].
  func rows(_ k: Int, prior: Tensor, earlier: Tensor?, condition: Tensor) -> Tensor {
    guard let earlier else { return prior }
    let modulation = silu(condition)
    var x = prefix[k - 1](earlier)
    for block in blocks { x = block(x, modulation: modulation) }
    return output(x, modulation: modulation) + prior
  }

  /// The rows of the prior for each of the K tokens, [positions, h] each.
  func priorRows(_ hidden: Tensor) -> [Tensor] { prior(hidden).split(configuration.chunkSize) }

  // MARK: Training

  package func loss(hidden: Tensor, next: Tensor, vocabulary: Tensor, generator: Generator) -> Tensor {
    let (rows, targets) = rows(hidden: hidden, next: next, vocabulary: vocabulary)
    return linearCrossEntropy(rows, weight: vocabulary, targets: targets)
  }

  /// The exact negative logarithm of the probability; of a one-step head, an estimate of an upper bound.
  package func negativeLogLikelihood(
    hidden: Tensor, next: Tensor, vocabulary: Tensor, samples: Int, generator: Generator
  ) -> Tensor {
    let (rows, targets) = rows(hidden: hidden, next: next, vocabulary: vocabulary)
    if let shortlist = shortlist(hidden, vocabulary: vocabulary) {
      return shortlist.negativeLogLikelihood(rows: rows, targets: targets, samples: samples, generator: generator)
    }
    let found = TokenDistributions(rows: rows, weight: vocabulary).logProbabilities(of: targets)
    return -found.reshaped(configuration.chunkSize, -1).sum(0)
  }

  /// The vectors whose products with the token embeddings are the logits of true tokens, given those before them, token
  /// by token: [K·positions, h], and those tokens, [K·positions].
  private func rows(hidden: Tensor, next: Tensor, vocabulary: Tensor) -> (rows: Tensor, targets: Tensor) {
    let (priors, condition) = (priorRows(hidden), condition(hidden))
    let embedded = Torch.embedding(next, weight: vocabulary).reshaped(hidden.shape[0], -1)  // [positions, K·h]
    let h = configuration.hiddenSize
    let parts = (0..<configuration.chunkSize).map { k in
      rows(k, prior: priors[k], earlier: k == 0 ? nil : embedded.narrowed(1, 0..<k * h), condition: condition)
    }
    return (.concatenated(parts), next.transposed(0, 1).contiguous().reshaped(-1))
  }
}
