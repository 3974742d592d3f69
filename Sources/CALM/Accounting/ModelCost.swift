/// What a model consists of and what it costs to train and to run.
///
/// **What is counted as a FLOP.** One rule for all models, chosen so that it reproduces Table 1 of the paper
/// (arXiv 2510.27688), which does not say how it counts, within 4 % in every entry:
///
/// * Matrix products count 2 FLOPs for each multiply-accumulate operation (MAC). Embedding look-ups, norms, activations,
///   biases and distances are left out; the product with the vocabulary is in.
/// * Attention counts the products of a query with all keys and of the weights with all values at the full context of
///   ``TransformerShape/maximumPositions`` (2,048 positions in the paper, which for CALM are chunks), also
///   in training.
/// * Training counts three times the forward pass. The frozen autoencoder's encoder, which gives the targets (and the
///   input of a model that reads latents), runs forward only.
/// * The generative head is trained on N samples a position. Its products with the hidden state alone are the same for
///   all of them and count once, the others N times. To draw a sample, the diffusion head runs its network 100 times
///   and the flow head 20 times.
/// * Running counts one sample a chunk (temperature 1) with the autoencoder's decoder and no encoder. Everything is
///   divided by K to be a cost for each token.
/// * Training a language model on a number of tokens excludes its autoencoder's own training, which is counted by the
///   autoencoder's cost; the paper's totals include both (see ``Preset/Published``).
public struct ModelCost: Hashable, Sendable {
  /// A part of a model.
  public struct Part: Hashable, Sendable, Codable {
    /// What it is, for people.
    public let name: String
    /// The number of numbers in its parameters. What is shared with another part counts there.
    public let parameters: Int
    /// Whether training changes it.
    public let isTrained: Bool
    /// FLOPs for each token when the model is run.
    public let inference: Double
    /// FLOPs for each token when the model is trained.
    public let training: Double
  }

  /// The parts in the order in which data pass them.
  public let parts: [Part]

  /// Parameters that training changes: the paper's figure, which leaves the frozen autoencoder out.
  public var parameters: Int { parts.filter(\.isTrained).reduce(0) { $0 + $1.parameters } }
  /// Parameters that are only used: the frozen autoencoder of a language model.
  public var frozenParameters: Int { parts.filter { !$0.isTrained }.reduce(0) { $0 + $1.parameters } }
  /// FLOPs to generate a token.
  public var inferencePerToken: Double { parts.reduce(0) { $0 + $1.inference } }
  /// FLOPs to train on a token.
  public var trainingPerToken: Double { parts.reduce(0) { $0 + $1.training } }
}

/// Collects parts, each given by its products for one position.
struct CostBuilder {
  /// Tokens of a position: K, or 1 where positions are tokens.
  let tokensPerPosition: Int
  private(set) var parts: [ModelCost.Part] = []

  init(tokensPerPosition: Int) {
    self.tokensPerPosition = tokensPerPosition
  }

  /// Adds a part.
  ///
  /// - Parameters:
  ///   - macs: multiply-accumulate operations of matrix products at a position.
  ///   - inference: how often they are made when the model is run.
  ///   - training: how often in training, in forward passes; three for a forward pass with its backward pass.
  mutating func add(
    _ name: String, parameters: Int, macs: Int, inference: Int = 1, training: Int = 3,
    isTrained: Bool = true
  ) {
    add(
      name, parameters: parameters, inferenceMACs: macs * inference,
      trainingMACs: macs * training, isTrained: isTrained)
  }

  /// Adds a part whose products differ between use and training.
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
