/// Options for text generation.
///
/// ```swift
/// let options = GenerationOptions(temperature: 0.5, maximumTokens: 100, seed: 7)
/// ```
public struct GenerationOptions: Hashable, Sendable {
  /// How a model is sampled at temperatures other than 1.
  public enum Sampler: String, Hashable, Sendable, CaseIterable, Codable {
    /// Samples each token from its probabilities to the power 1/T, limited by ``GenerationOptions/topK`` and
    /// ``GenerationOptions/topP``. Only autoregressive models and tokens heads compute these probabilities.
    case logits
    /// Chooses one of ``GenerationOptions/candidates`` samples; see ``BatchTemperatureRule``.
    case batch
    /// Rejects samples until enough of them are equal; see ``ExactTemperatureSampler``. It fails if no chunk is likely
    /// enough.
    case exact
  }

  /// T. At 1, chunks follow the model's own distribution, at the cost of one sample per chunk. ``Sampler/batch`` and
  /// ``Sampler/exact`` support (0, 1], ``Sampler/logits`` any T above 0.
  public var temperature: Double
  /// How the model is sampled; nil for the first of its samplers: ``Sampler/logits`` if it computes the probabilities of
  /// tokens, else ``Sampler/batch``.
  public var sampler: Sampler?
  /// N, the number of chunks sampled at once, among which the batch sampler chooses. The paper uses 200.
  public var candidates: Int
  /// The maximum number of samples per chunk, for the exact sampler and for partial prompt chunks.
  public var maximumSamples: Int
  /// Limits ``Sampler/logits`` to this many of the most probable tokens; nil allows all.
  public var topK: Int?
  /// Limits ``Sampler/logits`` to the smallest set of most probable tokens whose probabilities, at the temperature, sum
  /// to this; nil allows all.
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
    temperature: Double = 1, sampler: Sampler? = nil, candidates: Int = 200, maximumSamples: Int = 20_000,
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

  /// Checks the options for one kind of model, and returns the sampler that they choose.
  ///
  /// - Parameter samplers: those that the model supports, such as ``LanguageModelConfiguration/samplers``.
  /// - Throws: the errors of ``validate()``; ``GenerationError/unsupportedSampler(_:supported:)``; for samplers other than
  ///   ``Sampler/logits`` also ``GenerationError/noLogits``, or ``TemperatureError`` for a temperature that they cannot
  ///   reach.
  @discardableResult
  public func chosenSampler(among samplers: [Sampler]) throws -> Sampler {
    try validate()
    let chosen = sampler ?? samplers[0]
    guard samplers.contains(chosen) else { throw GenerationError.unsupportedSampler(chosen, supported: samplers) }
    if chosen == .logits { return chosen }
    if topK != nil || topP != nil { throw GenerationError.noLogits }
    let temperature = try Temperature(temperature)
    if chosen == .batch { try temperature.check(candidates: candidates) }
    return chosen
  }
}
