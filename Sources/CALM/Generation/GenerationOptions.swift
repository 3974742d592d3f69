/// Options for text generation.
///
/// ```swift
/// let options = GenerationOptions(temperature: 0.5, maximumTokens: 100, seed: 7)
/// ```
public struct GenerationOptions: Hashable, Sendable {
  /// How chunks are sampled at temperatures below 1.
  public enum Sampler: String, Hashable, Sendable, CaseIterable, Codable {
    /// Chooses one of ``GenerationOptions/candidates`` samples; see ``BatchTemperatureRule``.
    case batch
    /// Rejects samples until enough of them are equal; see ``ExactTemperatureSampler``. It fails if no chunk is likely
    /// enough.
    case exact
  }

  /// T. At 1, chunks follow the model's own distribution, at the cost of one sample per chunk. A continuous model,
  /// which can only be sampled, supports (0, 1]; an autoregressive model supports any T above 0.
  public var temperature: Double
  /// How a continuous model is sampled at temperatures below 1.
  public var sampler: Sampler
  /// N, the number of chunks sampled at once, among which the batch sampler chooses. The paper uses 200.
  public var candidates: Int
  /// The maximum number of samples per chunk, for the exact sampler and for partial prompt chunks.
  public var maximumSamples: Int
  /// Limits an autoregressive model to this many of the most probable tokens; nil allows all.
  public var topK: Int?
  /// Limits an autoregressive model to the smallest set of most probable tokens whose probabilities sum to this; nil
  /// allows all.
  public var topP: Double?
  /// The maximum number of new tokens per sequence. It may cut a chunk.
  public var maximumTokens: Int
  /// The number of sequences generated from the prompt, in one batch.
  public var sequences: Int
  /// The random seed. Sequence i depends only on the seed and i, not on the number of sequences.
  public var seed: UInt64
  /// Whether the prompt is from the middle of a text. Otherwise it starts a document: for a model that was trained on
  /// documents with end tokens, an end token precedes the prompt.
  public var continuesText: Bool

  /// Creates options; by default, one sequence of up to 256 tokens at temperature 1.
  public init(
    temperature: Double = 1, sampler: Sampler = .batch, candidates: Int = 200, maximumSamples: Int = 20_000,
    topK: Int? = nil, topP: Double? = nil, maximumTokens: Int = 256, sequences: Int = 1, seed: UInt64 = 0,
    continuesText: Bool = false
  ) {
    self.temperature = temperature
    self.sampler = sampler
    self.candidates = candidates
    self.maximumSamples = maximumSamples
    self.topK = topK
    self.topP = topP
    self.maximumTokens = maximumTokens
    self.sequences = sequences
    self.seed = seed
    self.continuesText = continuesText
  }

  /// Checks the constraints that apply to every model.
  ///
  /// - Throws: ``GenerationError/tooSmall(_:value:)``, ``GenerationError/topPOutOfRange(_:)``,
  ///   ``TemperatureError/notPositive(_:)``.
  public func validate() throws {
    guard temperature > 0, temperature.isFinite else { throw TemperatureError.notPositive(temperature) }
    let numbers = [
      ("number of candidates", candidates), ("maximum number of samples", maximumSamples),
      ("maximum number of new tokens", maximumTokens), ("number of sequences", sequences),
    ]
    if let topK, topK < 1 { throw GenerationError.tooSmall("top-k", value: topK) }
    if let topP, !(topP > 0 && topP <= 1) { throw GenerationError.topPOutOfRange(topP) }
    for (name, value) in numbers where value < 1 { throw GenerationError.tooSmall(name, value: value) }
  }

  /// Checks the options for one kind of model.
  ///
  /// - Parameter probabilities: whether the model computes probabilities, as an autoregressive model does.
  /// - Throws: the errors of ``validate()``; with probabilities also ``GenerationError/needlessSampler``; without them
  ///   ``GenerationError/noLogits``, or ``TemperatureError`` for a temperature that sampling cannot reach.
  public func validate(probabilities: Bool) throws {
    try validate()
    if probabilities {
      if sampler == .exact { throw GenerationError.needlessSampler }
      return
    }
    if topK != nil || topP != nil { throw GenerationError.noLogits }
    let temperature = try Temperature(temperature)
    if sampler == .batch { try temperature.check(candidates: candidates) }
  }
}
