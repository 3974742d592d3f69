import Torch

/// The sizes and training constants of an ``Autoencoder``: its `config.json`, under the official keys.
public struct AutoencoderConfiguration: Codable, Hashable, Sendable {
  /// V, the number of token ids.
  public var vocabularySize: Int
  /// K, the number of tokens in a chunk.
  public var chunkSize: Int
  /// l, the size of a latent vector.
  public var latentSize: Int
  /// h, the width of the layers.
  public var hiddenSize: Int
  /// The inner width of the SwiGLU in each layer.
  public var intermediateSize: Int
  /// Layers of the encoder: half process tokens, half chunks.
  public var encoderLayers: Int
  /// Layers of the decoder: half process chunks, half tokens.
  public var decoderLayers: Int
  /// The activation in each layer.
  public var activation: Activation
  /// Whether the linear maps of each layer have biases.
  public var hasMLPBias: Bool
  /// ε of the RMS norms.
  public var normEpsilon: Double
  /// Whether the encoder returns a distribution (mean and log σ). A deterministic autoencoder returns a point: there is
  /// no noise and no Kullback–Leibler term.
  public var isVariational: Bool
  /// The probability that training replaces an input token with id 0.
  public var tokenMasking: Double
  /// The probability that training drops an entry of the latent.
  public var latentDropout: Double
  /// w, the weight of the Kullback–Leibler term.
  public var klWeight: Double
  /// c, the Kullback–Leibler divergence per dimension below which the loss is constant (free bits).
  public var klClamp: Double
  /// The standard deviation of initial weights.
  public var initializerRange: Double
  /// The ids of padding, end of text and start of text, if the tokenizer has them.
  public var special: SpecialTokens

  /// A configuration with the official defaults; the default intermediate size is 2.5 times the hidden size.
  public init(
    vocabularySize: Int, chunkSize: Int = 4, latentSize: Int = 128, hiddenSize: Int = 512,
    intermediateSize: Int? = nil, encoderLayers: Int = 2, decoderLayers: Int = 2, isVariational: Bool = true,
    special: SpecialTokens = SpecialTokens()
  ) {
    self.vocabularySize = vocabularySize
    self.chunkSize = chunkSize
    self.latentSize = latentSize
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize ?? hiddenSize * 5 / 2
    self.encoderLayers = encoderLayers
    self.decoderLayers = decoderLayers
    self.isVariational = isVariational
    self.special = special
    activation = .silu
    hasMLPBias = false
    normEpsilon = 1e-6
    tokenMasking = isVariational ? 0.15 : 0
    latentDropout = isVariational ? 0.15 : 0
    klWeight = 1e-3
    klClamp = 0.5
    initializerRange = 0.02
  }

  private enum Keys: String, CodingKey, CaseIterable {
    case architectures
    case vocabularySize = "vocab_size"
    case chunkSize = "patch_size"
    case latentSize = "latent_size"
    case hiddenSize = "hidden_size"
    case intermediateSize = "intermediate_size"
    case encoderLayers = "num_encoder_layers"
    case decoderLayers = "num_decoder_layers"
    case normEpsilon = "rms_norm_eps"
    case dropout = "ae_dropout"
    case isVariational = "variational"
    case tokenMasking = "token_masking"
    case klWeight = "kl_weight"
    case klClamp = "kl_clamp"
    case initializerRange = "initializer_range"
    case activation = "hidden_act"
    case hasMLPBias = "mlp_bias"
  }

  /// Reads the official keys, with the official default for each that is missing.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Keys.self)
    try refuseUnknownKeys(
      in: decoder, known: Keys.allCases.map(\.rawValue) + SpecialTokens.keyNames,
      ignored: ["max_position_embeddings", "tie_word_embeddings"], kind: "an autoencoder")
    vocabularySize = try values.positive(.vocabularySize, upTo: greatestVocabulary) ?? 32000
    chunkSize = try values.positive(.chunkSize) ?? 4
    latentSize = try values.positive(.latentSize) ?? 128
    hiddenSize = try values.positive(.hiddenSize) ?? 512
    intermediateSize = try values.positive(.intermediateSize) ?? 1280
    encoderLayers = try values.positive(.encoderLayers) ?? 2
    decoderLayers = try values.positive(.decoderLayers) ?? 2
    activation = try values.activation(.activation) ?? .silu
    hasMLPBias = try values.decodeIfPresent(Bool.self, forKey: .hasMLPBias) ?? false
    normEpsilon = try values.decodeIfPresent(Double.self, forKey: .normEpsilon) ?? 1e-6
    isVariational = try values.decodeIfPresent(Bool.self, forKey: .isVariational) ?? true
    latentDropout = try values.probability(.dropout) ?? 0.15
    tokenMasking = try values.probability(.tokenMasking) ?? latentDropout
    klWeight = try values.decodeIfPresent(Double.self, forKey: .klWeight) ?? 1e-3
    klClamp = try values.decodeIfPresent(Double.self, forKey: .klClamp) ?? 0.5
    initializerRange = try values.decodeIfPresent(Double.self, forKey: .initializerRange) ?? 0.02
    special = try SpecialTokens(from: decoder)
    try special.check(vocabularySize: vocabularySize, decoder)
  }

  /// Writes the keys of `config.json` that `init(from:)` reads.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Keys.self)
    try values.encode(["Autoencoder"], forKey: .architectures)
    try values.encode(vocabularySize, forKey: .vocabularySize)
    try values.encode(chunkSize, forKey: .chunkSize)
    try values.encode(latentSize, forKey: .latentSize)
    try values.encode(hiddenSize, forKey: .hiddenSize)
    try values.encode(intermediateSize, forKey: .intermediateSize)
    try values.encode(encoderLayers, forKey: .encoderLayers)
    try values.encode(decoderLayers, forKey: .decoderLayers)
    try values.encode(normEpsilon, forKey: .normEpsilon)
    try values.encode(latentDropout, forKey: .dropout)
    if !isVariational { try values.encode(false, forKey: .isVariational) }
    if tokenMasking != latentDropout { try values.encode(tokenMasking, forKey: .tokenMasking) }
    try values.encode(klWeight, forKey: .klWeight)
    try values.encode(klClamp, forKey: .klClamp)
    try values.encode(initializerRange, forKey: .initializerRange)
    try values.encode(activation, forKey: .activation)
    try values.encode(hasMLPBias, forKey: .hasMLPBias)
    try special.encode(to: encoder)
  }
}
