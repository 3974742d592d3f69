import CALM
import CALMSupport

/// A checked request for completions or for a chat.
package struct CompletionCall: Sendable {
  /// The route.
  package enum Kind: Sendable {
    case completion
    case chat
  }

  /// The route.
  package let kind: Kind
  /// The name of the model.
  package let model: String
  /// What to generate. The deadline is not set.
  package var request: EngineRequest
  /// Whether the response is a stream of events.
  package let isStream: Bool
  /// Whether a stream ends with the usage.
  package let includesUsage: Bool
  /// The text before the completions of each prompt; nil for none.
  package let echoes: [String]?

  /// The name of the model that a request is for.
  ///
  /// - Throws: ``APIError``.
  package static func modelName(in body: JSONValue) throws(APIError) -> String {
    var fields = try FieldReader(body)
    guard let name = try fields.string("model") else {
      throw .invalid("'model' is missing", param: "model", code: "missing_parameter")
    }
    return name
  }

  /// Parses the body of a request.
  ///
  /// - Throws: ``APIError``.
  package static func json(_ body: [UInt8], limits: ServingLimits) throws(APIError) -> JSONValue {
    guard String(validating: body, as: UTF8.self) != nil else { throw .invalid("the body is not UTF-8") }
    do {
      return try JSONParser.parse(body, maximumCount: limits.jsonValues)
    } catch {
      throw .invalid("the body is not JSON: \(error.reason)")
    }
  }

  /// Checks the body of a request.
  ///
  /// - Parameters:
  ///   - seed: the seed of a request that names none.
  /// - Throws: ``APIError``.
  package init(
    _ body: JSONValue, kind: Kind, facts: ModelFacts, limits: ServingLimits, seed: UInt64
  ) throws(APIError) {
    var fields = try FieldReader(body)
    self.kind = kind
    model = try Self.modelName(in: body)
    fields.ignore("model", "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key")
    let prompts =
      switch kind {
      case .completion: try Prompts(&fields, facts: facts)
      case .chat: try Prompts(messages: &fields, facts: facts)
      }
    guard prompts.ids.count <= limits.prompts else {
      throw .invalid(
        "'prompt' has at most \(limits.prompts) prompts, not \(prompts.ids.count)", param: prompts.param)
    }
    let longest = prompts.ids.map(\.count).max() ?? 0
    guard longest <= limits.promptTokens else {
      throw .invalid(
        "the prompt has \(longest) tokens, and the maximum is \(limits.promptTokens)", param: prompts.param,
        code: "context_length_exceeded")
    }
    var options = try Self.options(&fields, facts: facts, limits: limits)
    options.maximumTokens =
      try Self.maximumTokens(&fields, kind: kind, limits: limits)
      ?? max(1, min(limits.completionTokens, facts.maximumTokens - longest))
    options.sequences = try fields.integer("n", in: 1...limits.choices) ?? 1
    options.seed = try fields.integer("seed", in: .min ... .max).map { UInt64(bitPattern: Int64($0)) } ?? seed
    request = EngineRequest(
      prompts: prompts.ids, options: options, stops: try Self.stops(&fields, limits: limits) + prompts.stops)
    request.stopTokens = prompts.stopTokens

    isStream = try fields.boolean("stream") ?? false
    includesUsage = try Self.includesUsage(&fields, isStream: isStream)
    let echoes = kind == .completion ? try fields.boolean("echo") ?? false : false
    self.echoes = echoes ? try prompts.texts(facts) : nil
    try Self.refuseUnsupported(&fields, kind: kind, choices: options.sequences)
    try fields.finish()
    do {
      try options.chosenSampler(among: facts.samplers)
    } catch {
      throw APIError(error)
    }
  }

  private static func options(
    _ fields: inout FieldReader, facts: ModelFacts, limits: ServingLimits
  ) throws(APIError) -> GenerationOptions {
    var options = GenerationOptions()
    let temperature = try fields.number("temperature") ?? 1
    options.temperature = temperature
    if facts.hasProbabilities {
      guard (0...2).contains(temperature) else {
        throw .invalid("'temperature' must be from 0 to 2, not \(temperature)", param: "temperature")
      }
      // The limit of temperature 0 is the most probable token.
      if temperature < 1e-3 { (options.temperature, options.topK) = (1, 1) }
      options.topP = try fields.number("top_p")
      if let topP = options.topP, !(topP > 0 && topP <= 1) {
        throw .invalid("'top_p' must be above 0 and at most 1, not \(topP)", param: "top_p")
      }
    } else {
      guard temperature > 0, temperature <= 1 else {
        throw .invalid(
          "'temperature' must be above 0 and at most 1 for this model, which samples without probabilities, "
            + "not \(temperature)", param: "temperature")
      }
      try fields.refuse(
        "this model computes no probabilities; use a temperature below 1",
        of: "top_p", unless: { $0.integer == 1 || $0.isNumber(1) })
    }
    options.maximumSamples = limits.samples
    guard let extensions = fields.value("calm") else { return options }
    var own = try FieldReader(extensions, at: "calm")
    if facts.hasProbabilities {
      try own.refuse("this model has probabilities and needs no sampler", of: "sampler")
      try own.refuse("this model has probabilities and needs no candidates", of: "pool")
    }
    if let name = try own.string("sampler") {
      guard let sampler = GenerationOptions.Sampler(rawValue: name) else {
        throw .invalid("'calm.sampler' must be \"batch\" or \"exact\"", param: "calm.sampler")
      }
      options.sampler = sampler
    }
    if let pool = try own.integer("pool", in: 1...limits.pool) { options.candidates = pool }
    try own.finish()
    return options
  }

  private static func maximumTokens(
    _ fields: inout FieldReader, kind: Kind, limits: ServingLimits
  ) throws(APIError) -> Int? {
    let range = 1...limits.completionTokens
    switch kind {
    case .completion: return try fields.integer("max_tokens", in: range) ?? 16
    case .chat:
      let older = try fields.integer("max_tokens", in: range)
      return try fields.integer("max_completion_tokens", in: range) ?? older
    }
  }

  private static func stops(_ fields: inout FieldReader, limits: ServingLimits) throws(APIError) -> [String] {
    guard let value = fields.value("stop") else { return [] }
    let list = value.array ?? [value]
    guard list.count <= limits.stops else {
      throw .invalid("'stop' has at most \(limits.stops) strings, not \(list.count)", param: "stop")
    }
    var stops: [String] = []
    for element in list {
      guard let stop = element.string else {
        throw .invalid("'stop' must be a string or an array of strings", param: "stop", code: "invalid_type")
      }
      guard (1...limits.stopCharacters).contains(stop.unicodeScalars.count) else {
        throw .invalid("a stop string has 1 to \(limits.stopCharacters) characters", param: "stop")
      }
      stops.append(stop)
    }
    return stops
  }

  private static func includesUsage(_ fields: inout FieldReader, isStream: Bool) throws(APIError) -> Bool {
    guard let value = fields.value("stream_options") else { return false }
    guard isStream else {
      throw .invalid("'stream_options' needs \"stream\": true", param: "stream_options")
    }
    var own = try FieldReader(value, at: "stream_options")
    own.ignore("include_obfuscation")
    let includes = try own.boolean("include_usage") ?? false
    try own.finish()
    return includes
  }
}
