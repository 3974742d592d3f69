/// The parameters of a model and its cost in training and inference.
///
/// **Counting rule.** One rule for all models, chosen to reproduce every entry of Table 1 of the paper
/// (arXiv 2510.27688), which does not state its rule, within 4 %:
///
/// * Matrix products count 2 FLOPs for each multiply-accumulate operation (MAC). Embedding look-ups, norms,
///   activations, biases and distances do not count; the product with the vocabulary does.
/// * Attention counts the products of a query with all keys and of the weights with all values at the full context of
///   ``TransformerShape/maximumPositions`` (2,048 positions in the paper, which for CALM are chunks), in training
///   too.
/// * Training counts three times the forward pass. The frozen autoencoder's encoder, which computes the targets (and
///   the input of a model that reads latents), runs forward only.
/// * The generative head is trained on N samples per position. Products that involve only the hidden state are the same
///   for all samples and count once, the others N times. Per sample, the diffusion head evaluates its network 100 times
///   and the flow head 20 times.
/// * Inference counts one sample per chunk (temperature 1) with the autoencoder's decoder and no encoder. All costs are
///   divided by K to give a cost per token.
/// * The training of a language model excludes the training of its autoencoder, which the autoencoder's cost counts;
///   the paper's totals include both (see ``Preset/Published``).
public struct ModelCost: Hashable, Sendable {
  /// A part of a model.
  public struct Part: Hashable, Sendable, Codable {
    /// A readable name.
    public let name: String
    /// The number of parameters. Parameters shared with another part count there.
    public let parameters: Int
    /// Whether the part is trained.
    public let isTrained: Bool
    /// Inference FLOPs per token.
    public let inference: Double
    /// Training FLOPs per token.
    public let training: Double
  }

  /// The parts, in the order of the forward pass.
  public let parts: [Part]

  /// The number of trained parameters, as in the paper: without the frozen autoencoder.
  public var parameters: Int { parts.filter(\.isTrained).reduce(0) { $0 + $1.parameters } }
  /// The number of parameters of the frozen autoencoder of a language model.
  public var frozenParameters: Int { parts.filter { !$0.isTrained }.reduce(0) { $0 + $1.parameters } }
  /// Inference FLOPs per generated token.
  public var inferencePerToken: Double { parts.reduce(0) { $0 + $1.inference } }
  /// Training FLOPs per token.
  public var trainingPerToken: Double { parts.reduce(0) { $0 + $1.training } }
}

/// Collects parts, given the operations of each at one position.
struct CostBuilder {
  /// Tokens per position: K, or 1 if positions are tokens.
  let tokensPerPosition: Int
  private(set) var parts: [ModelCost.Part] = []

  init(tokensPerPosition: Int) {
    self.tokensPerPosition = tokensPerPosition
  }

  /// Adds a part.
  ///
  /// - Parameters:
  ///   - macs: multiply-accumulate operations of matrix products at a position.
  ///   - inference: the number of forward passes in inference.
  ///   - training: the cost of training in forward passes; three for a forward and a backward pass.
  mutating func add(
    _ name: String, parameters: Int, macs: Int, inference: Int = 1, training: Int = 3,
    isTrained: Bool = true
  ) {
    add(
      name, parameters: parameters, inferenceMACs: macs * inference,
      trainingMACs: macs * training, isTrained: isTrained)
  }

  /// Adds a part whose operations differ between inference and training.
  mutating func add(
    _ name: String, parameters: Int, inferenceMACs: Int, trainingMACs: Int,
    isTrained: Bool = true
  ) {
    func flopsPerToken(_ macs: Int) -> Double { 2 * Double(macs) / Double(tokensPerPosition) }
    parts.append(
      ModelCost.Part(
        name: name, parameters: parameters, isTrained: isTrained, inference: flopsPerToken(inferenceMACs),
        training: flopsPerToken(trainingMACs)))
  }
}
