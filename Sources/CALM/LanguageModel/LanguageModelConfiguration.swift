/// The sizes and training constants of a ``ContinuousLanguageModel``: its `config.json`, under the official keys.
public struct LanguageModelConfiguration: Codable, Hashable, Sendable {
  /// V.
  public var vocabularySize: Int
  /// K, the number of tokens in a chunk.
  public var chunkSize: Int
  /// l, the size of a latent vector.
  public var latentSize: Int
  /// h, the width of the Transformer and of the head.
  public var hiddenSize: Int
  /// The inner width of the SwiGLU in each layer.
  public var intermediateSize: Int
  /// Layers of the Transformer.
  public var layers: Int
  /// Query heads of its attention.
  public var attentionHeads: Int
  /// Key and value heads; each serves `attentionHeads / keyValueHeads` query heads.
  public var keyValueHeads: Int
  /// The base of the rotary embedding's wavelengths.
  public var ropeTheta: Double
  /// The longest sequence the model is meant for, in chunks.
  public var maximumPositions: Int
  /// ε of the RMS norms.
  public var normEpsilon: Double
  /// Which generative head samples the latents.
  public var head: HeadKind
  /// Blocks of the generative head.
  public var headBlocks: Int
  /// d, the size of the energy head's noise.
  public var noiseSize: Int
  /// N, the model samples a position in the energy score; of the other heads, the targets a position.
  public var samples: Int
  /// M, the target samples a position in the energy score.
  public var targetSamples: Int
  /// β, the exponent of the energy score.
  public var exponent: Double
  /// The weight of the auxiliary token loss in training; 0 is the paper.
  public var auxiliaryLossWeight: Double
  /// The official standard deviation of fresh weights, kept for the official code. Weights made here are scaled by
  /// their inputs instead, which learns in fewer steps.
  public var initializerRange: Double
  /// Whether training text was packed with an end token after each document, so that a chunk of one end token and
  /// padding stands before a document's start.
  public var hasDocumentEnds: Bool
  /// The ids of padding and of a document's end and start, where the tokenizer has them.
  public var special: SpecialTokens

  /// Sizes after the official defaults.
  public init(
    vocabularySize: Int, chunkSize: Int = 4, latentSize: Int = 128, hiddenSize: Int = 768,
    intermediateSize: Int? = nil, layers: Int = 12, attentionHeads: Int = 12, keyValueHeads: Int? = nil,
    head: HeadKind = .energy, headBlocks: Int = 4, auxiliaryLossWeight: Double = 0,
    special: SpecialTokens = SpecialTokens()
  ) {
    self.vocabularySize = vocabularySize
    self.chunkSize = chunkSize
    self.latentSize = latentSize
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize ?? (hiddenSize * 8 / 3 + 63) / 64 * 64
    self.layers = layers
    self.attentionHeads = attentionHeads
    self.keyValueHeads = keyValueHeads ?? attentionHeads
    self.head = head
    self.headBlocks = headBlocks
    self.auxiliaryLossWeight = auxiliaryLossWeight
    self.special = special
    ropeTheta = 10_000
    maximumPositions = 2048
    normEpsilon = 1e-6
    noiseSize = 64
    samples = 8
    targetSamples = 100
    exponent = 1
    initializerRange = 0.02
    hasDocumentEnds = true
  }

  /// The size of an attention head.
  public var headSize: Int { hiddenSize / attentionHeads }

  private enum Keys: String, CodingKey {
    case architectures
    case modelType = "model_type"
    case vocabularySize = "vocab_size"
    case chunkSize = "patch_size"
    case latentSize = "latent_size"
    case hiddenSize = "hidden_size"
    case intermediateSize = "intermediate_size"
    case layers = "num_hidden_layers"
    case attentionHeads = "num_attention_heads"
    case keyValueHeads = "num_key_value_heads"
    case ropeTheta = "rope_theta"
    case maximumPositions = "max_position_embeddings"
    case normEpsilon = "rms_norm_eps"
    case headBlocks = "num_mlp_layers"
    case noiseSize = "noise_size"
    case samples = "num_samples"
    case targetSamples = "num_target_samples"
    case exponent = "beta"
    case auxiliaryLossWeight = "auxiliary_loss_weight"
    case initializerRange = "initializer_range"
    case hasDocumentEnds = "document_ends"
    case activation = "hidden_act"
    case attentionBias = "attention_bias"
    case mlpBias = "mlp_bias"
    case attentionDropout = "attention_dropout"
    case ropeScaling = "rope_scaling"
  }

  /// Reads the official keys, with the official default for each that is missing.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Keys.self)
    try values.refuse(unless: .activation, is: "silu")
    try values.refuse(unless: .attentionBias, is: false)
    try values.refuse(unless: .mlpBias, is: false)
    try values.refuse(unless: .attentionDropout, is: 0.0)
    if try values.contains(.ropeScaling) && !values.decodeNil(forKey: .ropeScaling) {
      throw values.corrupted(.ropeScaling, "'rope_scaling' is set; it is not supported")
    }
    head = try Self.head(in: values) ?? .energy
    vocabularySize = try values.positive(.vocabularySize) ?? 32000
    chunkSize = try values.positive(.chunkSize) ?? 4
    latentSize = try values.positive(.latentSize) ?? 128
    hiddenSize = try values.positive(.hiddenSize) ?? 768
    intermediateSize = try values.positive(.intermediateSize) ?? 2048
    layers = try values.positive(.layers) ?? 12
    attentionHeads = try values.positive(.attentionHeads) ?? 12
    keyValueHeads = try values.positive(.keyValueHeads) ?? attentionHeads
    ropeTheta = try values.decodeIfPresent(Double.self, forKey: .ropeTheta) ?? 10_000
    maximumPositions = try values.positive(.maximumPositions) ?? 2048
    normEpsilon = try values.decodeIfPresent(Double.self, forKey: .normEpsilon) ?? 1e-6
    headBlocks = try values.positive(.headBlocks) ?? 4
    noiseSize = try values.positive(.noiseSize) ?? 64
    samples = try values.positive(.samples) ?? 8
    targetSamples = try values.positive(.targetSamples) ?? 100
    exponent = try values.decodeIfPresent(Double.self, forKey: .exponent) ?? 1
    auxiliaryLossWeight = try values.decodeIfPresent(Double.self, forKey: .auxiliaryLossWeight) ?? 0
    initializerRange = try values.decodeIfPresent(Double.self, forKey: .initializerRange) ?? 0.02
    hasDocumentEnds = try values.decodeIfPresent(Bool.self, forKey: .hasDocumentEnds) ?? false
    special = try SpecialTokens(from: decoder)
    guard hiddenSize % attentionHeads == 0, headSize % 2 == 0 else {
      throw values.corrupted(
        .attentionHeads, "\(attentionHeads) attention heads do not cut a hidden size of \(hiddenSize) into even parts")
    }
    guard attentionHeads % keyValueHeads == 0 else {
      throw values.corrupted(
        .keyValueHeads, "\(keyValueHeads) key and value heads do not divide \(attentionHeads) attention heads")
    }
  }

  /// The head that the configuration names; nil where it names none, as the weights may then tell.
  static func namedHead(in decoder: any Decoder) throws -> HeadKind? {
    try head(in: decoder.container(keyedBy: Keys.self))
  }

  private static func head(in values: KeyedDecodingContainer<Keys>) throws -> HeadKind? {
    let known = HeadKind.allCases.map(\.rawValue).joined(separator: ", ")
    if let name = try values.decodeIfPresent([String].self, forKey: .architectures)?.first {
      guard let head = HeadKind(architecture: name) else {
        throw values.corrupted(
          .architectures, "the architecture '\(name)' is not known; language models have one of the heads \(known)")
      }
      return head
    }
    guard let name = try values.decodeIfPresent(String.self, forKey: .modelType) else { return nil }
    guard let head = HeadKind(rawValue: name) else {
      throw values.corrupted(.modelType, "the head '\(name)' is not known; there are \(known)")
    }
    return head
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Keys.self)
    try values.encode([head.type.architecture], forKey: .architectures)
    try values.encode(head.rawValue, forKey: .modelType)
    try values.encode(vocabularySize, forKey: .vocabularySize)
    try values.encode(chunkSize, forKey: .chunkSize)
    try values.encode(latentSize, forKey: .latentSize)
    try values.encode(hiddenSize, forKey: .hiddenSize)
    try values.encode(intermediateSize, forKey: .intermediateSize)
    try values.encode(layers, forKey: .layers)
    try values.encode(attentionHeads, forKey: .attentionHeads)
    try values.encode(keyValueHeads, forKey: .keyValueHeads)
    try values.encode(ropeTheta, forKey: .ropeTheta)
    try values.encode(maximumPositions, forKey: .maximumPositions)
    try values.encode(normEpsilon, forKey: .normEpsilon)
    try values.encode(headBlocks, forKey: .headBlocks)
    try values.encode(noiseSize, forKey: .noiseSize)
    try values.encode(samples, forKey: .samples)
    try values.encode(targetSamples, forKey: .targetSamples)
    try values.encode(exponent, forKey: .exponent)
    try values.encode(auxiliaryLossWeight, forKey: .auxiliaryLossWeight)
    try values.encode(initializerRange, forKey: .initializerRange)
    try values.encode(hasDocumentEnds, forKey: .hasDocumentEnds)
    try values.encode("silu", forKey: .activation)
    try special.encode(to: encoder)
  }
}
