/// How text is generated.
public struct GenerationOptions: Hashable, Sendable {
  /// How chunks are drawn at temperatures below 1.
  public enum Sampler: String, Hashable, Sendable, CaseIterable, Codable {
    /// Choose from a pool of ``GenerationOptions/poolSize`` draws: see ``BatchTemperatureRule``.
    case batch
    /// Reject until the draws agree: see ``ExactTemperatureSampler``. It fails where no chunk is likely enough.
    case exact
  }

  /// T: 1 is the model's own distribution and costs one draw a chunk. A continuous model, which can be sampled alone,
  /// takes (0, 1], as ``Temperature`` says; an autoregressive one any T above 0.
  public var temperature = 1.0
  /// How chunks are drawn at temperatures below 1.
  public var sampler = Sampler.batch
  /// N, the chunks drawn at once; what the batch sampler chooses from. The paper uses 200.
  public var poolSize = 200
  /// The most chunks drawn for one: by the exact sampler, and to meet the tokens that a prompt leaves over.
  public var drawLimit = 20_000
  /// With an autoregressive model, draw only among so many of the likeliest tokens; nil takes all.
  public var topK: Int?
  /// With an autoregressive model, draw only among the fewest of the likeliest tokens whose probabilities sum to this;
  /// nil takes all.
  public var topP: Double?
  /// The most tokens generated for each sequence, also where that cuts a chunk.
  public var maximumTokens = 256
  /// How many sequences are generated from the prompt, in one batch.
  public var sequences = 1
  /// Decides all draws. Sequence i depends on the seed and i alone, not on how many others run beside it.
  public var seed: UInt64 = 0
  /// Whether the prompt is from the middle of a text. Else it begins a document, and a model that was trained on
  /// documents with an end is told so.
  public var continuesText = false

  /// One sequence of up to 256 tokens at temperature 1.
  public init() {}

  /// Checks what the types do not, and what must hold for every model.
  ///
  /// - Throws: ``GenerationError/tooSmall(_:value:)``, ``GenerationError/topPOutOfRange(_:)``,
  ///   ``TemperatureError/notPositive(_:)``.
  public func validate() throws {
    guard temperature > 0, temperature.isFinite else { throw TemperatureError.notPositive(temperature) }
    let numbers = [
      ("pool size", poolSize), ("draw limit", drawLimit), ("maximum of new tokens", maximumTokens),
      ("number of sequences", sequences),
    ]
    if let topK, topK < 1 { throw GenerationError.tooSmall("number of likeliest tokens", value: topK) }
    if let topP, !(topP > 0 && topP <= 1) { throw GenerationError.topPOutOfRange(topP) }
    for (name, value) in numbers where value < 1 { throw GenerationError.tooSmall(name, value: value) }
  }

  /// Checks them for a model of one kind.
  ///
  /// - Parameter probabilities: whether the model gives probabilities, as an autoregressive one does.
  /// - Throws: what ``validate()`` throws; ``GenerationError/needlessSampler`` with probabilities; without them
  ///   ``GenerationError/noLogits``, and ``TemperatureError`` for what cannot be reached by sampling alone.
  public func validate(probabilities: Bool) throws {
    try validate()
    if probabilities {
      if sampler == .exact { throw GenerationError.needlessSampler }
      return
    }
    if topK != nil || topP != nil { throw GenerationError.noLogits }
    let temperature = try Temperature(temperature)
    if sampler == .batch { _ = try BatchTemperatureSampler(temperature: temperature, poolSize: poolSize) }
  }
}
