import Torch

/// The sizes and training constants of a ``ContinuousLanguageModel``: its `config.json`, under the official keys.
@dynamicMemberLookup
public struct LanguageModelConfiguration: Codable, Hashable, Sendable {
  /// V, the number of token ids.
  public var vocabularySize: Int
  /// K, the number of tokens in a chunk.
  public var chunkSize: Int
  /// l, the size of a latent vector; for the posterior head, the size of its vector, which has K parts of equal size.
  public var latentSize: Int
  /// The sizes of the Transformer; its width is also the width of the head. They are also members of the configuration,
  /// as in `configuration.hiddenSize`.
  public var transformer: TransformerShape
  /// The input of the Transformer for each chunk.
  public var input: ModelInput
  /// The kind of the generative head.
  public var head: HeadKind
  /// The number of blocks of the generative head.
  public var headBlocks: Int
  /// d, the size of the energy head's noise.
  public var noiseSize: Int
  /// The bound on the latent's entries in every sampling step of the diffusion head. The first step
  /// divides by a value near zero, which amplifies an error of the network about a hundredfold; without a bound, as in
  /// the official code, the samples of an insufficiently trained head are unusable. Nil for no bound.
  public var latentBound: Double?
  /// N, the model samples per position in the energy score; for the other heads, the target samples per position.
  public var samples: Int
  /// Points per position in the loss of the posterior head.
  public var pathSamples: Int
  /// The exponent p of the posterior head's random times in training, t ∝ uᵖ with a uniform u.
  public var timePower: Double
  /// Whether a posterior, tokens or flow head is distilled and samples in one step.
  public var isOneStep: Bool
  /// m, the tokens among which a one-step tokens head chooses each token after the first.
  public var shortlistSize: Int
  /// The time offset between the tokens of a chunk in the posterior head's sampling: from 0 (all at once) to 1 (one
  /// after the other).
  public var pathStagger: Double
  /// The steps of the posterior head's solver, each of two evaluations.
  public var solverSteps: Int
  /// M, the target samples per position in the energy score.
  public var targetSamples: Int
  /// β, the exponent of the energy score.
  public var exponent: Double
  /// The weight of the auxiliary token loss in training; 0, as in the paper, for none.
  public var auxiliaryLossWeight: Double
  /// Whether the training text has an end token after each document, so that a chunk of one end token and padding
  /// precedes the start of a document.
  public var hasDocumentEnds: Bool
  /// The ids of padding, end of text and start of text, if the tokenizer has them.
  public var special: SpecialTokens

  /// Creates a configuration with the official defaults.
  public init(
    vocabularySize: Int, chunkSize: Int = 4, latentSize: Int = 128, hiddenSize: Int = 768,
    intermediateSize: Int? = nil, layers: Int = 12, attentionHeads: Int = 12, keyValueHeads: Int? = nil,
    head: HeadKind = .energy, headBlocks: Int = 4, auxiliaryLossWeight: Double = 0,
    special: SpecialTokens = SpecialTokens()
  ) {
    self.vocabularySize = vocabularySize
    self.chunkSize = chunkSize
    self.latentSize = latentSize
    transformer = TransformerShape(
      hiddenSize: hiddenSize, intermediateSize: intermediateSize, layers: layers, attentionHeads: attentionHeads,
      keyValueHeads: keyValueHeads)
    input = .tokens
    self.head = head
    self.headBlocks = headBlocks
    self.auxiliaryLossWeight = auxiliaryLossWeight
    self.special = special
    noiseSize = 64
    latentBound = 16
    samples = 8
    (pathSamples, timePower, pathStagger, solverSteps) = (1, 1.5, 0, 3)
    (isOneStep, shortlistSize) = (false, 256)
    targetSamples = 100
    exponent = 1
    hasDocumentEnds = true
  }

  /// The ways in which the model can be sampled, its own first.
  public var samplers: [GenerationOptions.Sampler] {
    head == .tokens && !isOneStep ? [.logits, .batch, .exact] : [.batch, .exact]
  }

  /// A size of ``transformer``.
  public subscript<Value>(dynamicMember path: WritableKeyPath<TransformerShape, Value>) -> Value {
    get { transformer[keyPath: path] }
    set { transformer[keyPath: path] = newValue }
  }

  /// A derived size of ``transformer``, such as `headSize`.
  public subscript<Value>(dynamicMember path: KeyPath<TransformerShape, Value>) -> Value { transformer[keyPath: path] }

  private enum Keys: String, CodingKey, CaseIterable {
    case architectures
    case modelType = "model_type"
    case vocabularySize = "vocab_size"
    case chunkSize = "patch_size"
    case latentSize = "latent_size"
    case input = "model_input"
    case headBlocks = "num_mlp_layers"
    case noiseSize = "noise_size"
    case latentBound = "latent_bound"
    case samples = "num_samples"
    case pathSamples = "path_samples"
    case timePower = "time_power"
    case pathStagger = "path_stagger"
    case solverSteps = "solver_steps"
    case isOneStep = "one_step"
    case shortlistSize = "shortlist_size"
    case targetSamples = "num_target_samples"
    case exponent = "beta"
    case auxiliaryLossWeight = "auxiliary_loss_weight"
    case hasDocumentEnds = "document_ends"
  }

  /// Reads the official keys, with the official default for each that is missing.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Keys.self)
    head = try Self.head(in: values) ?? .energy
    try refuseUnknownKeys(
      in: decoder, known: Keys.allCases.map(\.rawValue) + TransformerShape.keyNames + SpecialTokens.keyNames,
      ignored: ["ae_path", "tie_word_embeddings"], kind: "a continuous language model")
    vocabularySize = try values.positive(.vocabularySize, upTo: greatestVocabulary) ?? 32000
    chunkSize = try values.positive(.chunkSize) ?? 4
    latentSize = try values.positive(.latentSize) ?? 128
    // The official default does not depend on the number of attention heads.
    transformer = try TransformerShape(from: decoder, defaultKeyValueHeads: 12)
    let inputName = try values.decodeIfPresent(String.self, forKey: .input) ?? ModelInput.tokens.rawValue
    guard let input = ModelInput(rawValue: inputName) else {
      throw values.corrupted(.input, "'model_input' must be tokens, latents or both, not '\(inputName)'")
    }
    self.input = input
    headBlocks = try values.positive(.headBlocks) ?? 4
    noiseSize = try values.positive(.noiseSize) ?? 64
    latentBound = try values.decodeIfPresent(Double.self, forKey: .latentBound)
    samples = try values.positive(.samples, upTo: 1024) ?? 8
    pathSamples = try values.positive(.pathSamples, upTo: 1024) ?? 1
    timePower = try values.decodeIfPresent(Double.self, forKey: .timePower) ?? 1.5
    pathStagger = try values.decodeIfPresent(Double.self, forKey: .pathStagger) ?? 0
    solverSteps = try values.positive(.solverSteps, upTo: 1024) ?? 3
    isOneStep = try values.decodeIfPresent(Bool.self, forKey: .isOneStep) ?? false
    shortlistSize = try values.positive(.shortlistSize, upTo: 65_536) ?? 256
    targetSamples = try values.positive(.targetSamples) ?? 100
    exponent = try values.decodeIfPresent(Double.self, forKey: .exponent) ?? 1
    auxiliaryLossWeight = try values.decodeIfPresent(Double.self, forKey: .auxiliaryLossWeight) ?? 0
    hasDocumentEnds = try values.decodeIfPresent(Bool.self, forKey: .hasDocumentEnds) ?? false
    special = try SpecialTokens(from: decoder)
    try special.check(vocabularySize: vocabularySize, decoder)
    guard samples >= 2 else { throw values.corrupted(.samples, "'num_samples' must be 2 or more, not \(samples)") }
    guard exponent > 0 else { throw values.corrupted(.exponent, "'beta' must be above 0, not \(exponent)") }
    guard timePower > 0, timePower.isFinite else {
      throw values.corrupted(.timePower, "'time_power' must be above 0, not \(timePower)")
    }
    if head == .posterior, latentSize % chunkSize != 0 {
      throw values.corrupted(
        .latentSize, "'latent_size' must be a multiple of 'patch_size', \(chunkSize), not \(latentSize)")
    }
    guard (0...1).contains(pathStagger) else {
      throw values.corrupted(.pathStagger, "'path_stagger' must be from 0 to 1, not \(pathStagger)")
    }
    if isOneStep, !(head.type is any DistillableHead.Type) {
      throw values.corrupted(.isOneStep, "'one_step' is not supported for the head '\(head.rawValue)'")
    }
    if !head.usesAutoencoder, input != .tokens {
      throw values.corrupted(.input, "'model_input' must be tokens for the head '\(head.rawValue)'")
    }
    if let latentBound, !(latentBound > 0) {
      throw values.corrupted(.latentBound, "'latent_bound' must be above 0, not \(latentBound)")
    }
  }

  /// The head that the configuration names; nil if it names none, in which case it is inferred from the weights.
  static func namedHead(in decoder: any Decoder) throws -> HeadKind? {
    try head(in: decoder.container(keyedBy: Keys.self))
  }

  private static func head(in values: KeyedDecodingContainer<Keys>) throws -> HeadKind? {
    let known = HeadKind.allCases.map(\.rawValue).joined(separator: ", ")
    if let name = try values.decodeIfPresent([String].self, forKey: .architectures)?.first {
      guard let head = HeadKind(architecture: name) else {
        throw values.corrupted(
          .architectures, "the architecture '\(name)' is unknown; supported are the heads \(known)")
      }
      return head
    }
    // The official code writes no model type or an empty one.
    guard let name = try values.decodeIfPresent(String.self, forKey: .modelType), !name.isEmpty else { return nil }
    guard let head = HeadKind(rawValue: name) else {
      throw values.corrupted(.modelType, "the head '\(name)' is unknown; supported are \(known)")
    }
    return head
  }

  /// Writes the keys of `config.json` that `init(from:)` reads.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Keys.self)
    try values.encode([head.type.architecture], forKey: .architectures)
    try values.encode(head.rawValue, forKey: .modelType)
    try values.encode(vocabularySize, forKey: .vocabularySize)
    try values.encode(chunkSize, forKey: .chunkSize)
    try values.encode(latentSize, forKey: .latentSize)
    if input != .tokens { try values.encode(input, forKey: .input) }
    try values.encode(headBlocks, forKey: .headBlocks)
    try values.encode(noiseSize, forKey: .noiseSize)
    try values.encodeIfPresent(latentBound, forKey: .latentBound)
    try values.encode(samples, forKey: .samples)
    if head == .posterior {
      try values.encode(pathSamples, forKey: .pathSamples)
      try values.encode(timePower, forKey: .timePower)
      try values.encode(pathStagger, forKey: .pathStagger)
      try values.encode(solverSteps, forKey: .solverSteps)
    }
    if isOneStep { try values.encode(isOneStep, forKey: .isOneStep) }
    if isOneStep && head == .tokens { try values.encode(shortlistSize, forKey: .shortlistSize) }
    try values.encode(targetSamples, forKey: .targetSamples)
    try values.encode(exponent, forKey: .exponent)
    try values.encode(auxiliaryLossWeight, forKey: .auxiliaryLossWeight)
    try values.encode(hasDocumentEnds, forKey: .hasDocumentEnds)
    try transformer.encode(to: encoder)
    try special.encode(to: encoder)
  }
}
