import Torch

/// The sizes of a Llama Transformer, shared by CALM's backbone and the autoregressive baseline, under Llama's keys in
/// `config.json`.
public struct TransformerShape: Codable, Hashable, Sendable {
  /// h, the width.
  public var hiddenSize: Int
  /// The inner width of the SwiGLU in each layer.
  public var intermediateSize: Int
  /// The number of layers.
  public var layers: Int
  /// The number of query heads.
  public var attentionHeads: Int
  /// The number of key and value heads; `attentionHeads / keyValueHeads` query heads share each.
  public var keyValueHeads: Int
  /// The base of the rotary embedding's wavelengths.
  public var ropeTheta = 10_000.0
  /// The scaling of the rotary embedding.
  public var ropeScaling = RopeScaling.none
  /// The activation in each layer.
  public var activation = Activation.silu
  /// Whether the projections of attention have biases.
  public var hasAttentionBias = false
  /// Whether the linear maps of each layer's SwiGLU have biases.
  public var hasMLPBias = false
  /// The maximum sequence length in positions: chunks, or tokens of the baseline.
  public var maximumPositions = 2048
  /// Whether attention is limited to the current document if several share a sequence; beyond the paper.
  public var documentMasking = false
  /// ε of the RMS norms.
  public var normEpsilon = 1e-6
  /// The official standard deviation of initial weights, stored for the official code. This package initializes weights
  /// with 1/√inputs instead, which needs fewer training steps.
  public var initializerRange = 0.02

  /// Creates a shape. By default, the intermediate size is 8/3 of the hidden size, rounded up to a multiple of 64, and
  /// there are as many key and value heads as query heads.
  public init(
    hiddenSize: Int, intermediateSize: Int? = nil, layers: Int, attentionHeads: Int, keyValueHeads: Int? = nil
  ) {
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize ?? (hiddenSize * 8 / 3 + 63) / 64 * 64
    self.layers = layers
    self.attentionHeads = attentionHeads
    self.keyValueHeads = keyValueHeads ?? attentionHeads
  }

  /// The size of an attention head.
  public var headSize: Int { hiddenSize / attentionHeads }

  private enum Keys: String, CodingKey, CaseIterable {
    case hiddenSize = "hidden_size"
    case intermediateSize = "intermediate_size"
    case layers = "num_hidden_layers"
    case attentionHeads = "num_attention_heads"
    case keyValueHeads = "num_key_value_heads"
    case headSize = "head_dim"
    case ropeTheta = "rope_theta"
    case maximumPositions = "max_position_embeddings"
    case normEpsilon = "rms_norm_eps"
    case initializerRange = "initializer_range"
    case activation = "hidden_act"
    case hasAttentionBias = "attention_bias"
    case hasMLPBias = "mlp_bias"
    case attentionDropout = "attention_dropout"
    case ropeScaling = "rope_scaling"
    case ropeParameters = "rope_parameters"
    case rotaryShare = "partial_rotary_factor"
    case documentMasking = "document_masking"
  }

  /// The keys of `config.json` that `init(from:)` reads.
  static let keyNames = Keys.allCases.map(\.rawValue)

  /// Reads the official keys, with the official default for each that is missing.
  public init(from decoder: any Decoder) throws {
    try self.init(from: decoder, defaultKeyValueHeads: nil)
  }

  /// - Parameter defaultKeyValueHeads: the number of key and value heads if the key is missing; nil for the number of
  ///   query heads, which null always means.
  init(from decoder: any Decoder, defaultKeyValueHeads: Int?) throws {
    let values = try decoder.container(keyedBy: Keys.self)
    try values.refuse(unless: .attentionDropout, is: 0.0)
    try values.refuse(unless: .rotaryShare, is: 1.0)
    hiddenSize = try values.positive(.hiddenSize) ?? 768
    intermediateSize = try values.positive(.intermediateSize) ?? 2048
    layers = try values.positive(.layers) ?? 12
    attentionHeads = try values.positive(.attentionHeads) ?? 12
    let missing = defaultKeyValueHeads ?? attentionHeads
    keyValueHeads =
      try values.contains(.keyValueHeads) ? values.positive(.keyValueHeads) ?? attentionHeads : missing
    (ropeTheta, ropeScaling) = try Self.rotary(in: values)
    activation = try values.activation(.activation) ?? .silu
    hasAttentionBias = try values.decodeIfPresent(Bool.self, forKey: .hasAttentionBias) ?? false
    hasMLPBias = try values.decodeIfPresent(Bool.self, forKey: .hasMLPBias) ?? false
    maximumPositions = try values.positive(.maximumPositions, upTo: 1 << 24) ?? 2048
    documentMasking = try values.decodeIfPresent(Bool.self, forKey: .documentMasking) ?? false
    normEpsilon = try values.decodeIfPresent(Double.self, forKey: .normEpsilon) ?? 1e-6
    initializerRange = try values.decodeIfPresent(Double.self, forKey: .initializerRange) ?? 0.02
    guard hiddenSize % attentionHeads == 0, headSize % 2 == 0 else {
      throw values.corrupted(
        .attentionHeads,
        "\(attentionHeads) attention heads do not divide a hidden size of \(hiddenSize) into parts of even size")
    }
    guard attentionHeads % keyValueHeads == 0 else {
      throw values.corrupted(
        .keyValueHeads, "\(keyValueHeads) key and value heads do not divide \(attentionHeads) attention heads")
    }
    try values.refuse(unless: .headSize, is: headSize)
    guard ropeTheta > 0 else { throw values.corrupted(.ropeTheta, "'rope_theta' must be above 0, not \(ropeTheta)") }
  }

  /// The base and the scaling of the rotary embedding, in the form of transformers 4 or 5. If both are present, they
  /// must agree.
  private static func rotary(in values: KeyedDecodingContainer<Keys>) throws -> (theta: Double, scaling: RopeScaling) {
    let objects = try [Keys.ropeParameters, .ropeScaling].compactMap {
      try values.decodeIfPresent(RopeParameters.self, forKey: $0)
    }
    let separate = try values.decodeIfPresent(Double.self, forKey: .ropeTheta)
    let bases = ([separate] + objects.map(\.theta)).compactMap(\.self)
    if let first = bases.first, let other = bases.first(where: { $0 != first }) {
      throw values.corrupted(.ropeTheta, "'rope_theta' is both \(first) and \(other); keep one of them")
    }
    if let first = objects.first, objects.contains(where: { $0.scaling != first.scaling }) {
      throw values.corrupted(.ropeParameters, "'rope_parameters' and 'rope_scaling' differ; keep one of them")
    }
    return (bases.first ?? 10_000, objects.first?.scaling ?? .none)
  }

  /// Writes the keys of `config.json` that `init(from:)` reads.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Keys.self)
    try values.encode(hiddenSize, forKey: .hiddenSize)
    try values.encode(intermediateSize, forKey: .intermediateSize)
    try values.encode(layers, forKey: .layers)
    try values.encode(attentionHeads, forKey: .attentionHeads)
    try values.encode(keyValueHeads, forKey: .keyValueHeads)
    try values.encode(ropeTheta, forKey: .ropeTheta)
    try values.encode(maximumPositions, forKey: .maximumPositions)
    try values.encode(normEpsilon, forKey: .normEpsilon)
    try values.encode(initializerRange, forKey: .initializerRange)
    try values.encode(activation, forKey: .activation)
    try values.encode(hasAttentionBias, forKey: .hasAttentionBias)
    try values.encode(hasMLPBias, forKey: .hasMLPBias)
    if documentMasking { try values.encode(true, forKey: .documentMasking) }
    if ropeScaling != .none { try values.encode(ropeScaling, forKey: .ropeScaling) }
  }
}
