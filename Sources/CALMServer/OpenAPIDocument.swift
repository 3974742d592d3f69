import CALM
import CALMServing
import CALMSupport

/// The OpenAPI document of a server: the files in `OpenAPI/` with the models and the limits of the server.
///
/// In the files, a string such as `"$choices"` stands for a value of the server.
struct OpenAPIDocument {
  private let models: ServedModels
  private let hasKeys: Bool
  private let values: [String: JSONValue]

  init(_ models: ServedModels, settings: ServerSettings) {
    self.models = models
    hasKeys = !settings.keys.isEmpty
    let limits = settings.limits
    let vocabularies = models.list.compactMap { try? $0.engine.facts().tokenizer.vocabularySize }
    values = [
      "version": .string(calmVersion), "models": .array(models.list.map { .string($0.name) }),
      "promptTokens": .integer(limits.promptTokens), "completionTokens": .integer(limits.completionTokens),
      "choices": .integer(limits.choices), "prompts": .integer(limits.prompts),
      "stops": .integer(limits.stops),
      "stopCharacters": .integer(limits.stopCharacters), "pool": .integer(limits.pool),
      "candidates": .integer(GenerationOptions().candidates),
      "greatestToken": .integer((vocabularies.max() ?? Int(Int32.max)) - 1),
    ]
  }

  /// The document. It has the fields of the kinds of models that are served, so it may change when one is loaded.
  var json: JSONValue {
    var document = file(PackageResources.openapi_json)
    var schemas = file(PackageResources.openapi_schemas_json)
    schemas["CompletionRequest"] = request("completion", required: ["model"])
    schemas["ChatCompletionRequest"] = request("chat", required: ["model", "messages"])
    var components = document["components"]
    components?["schemas"] = schemas
    if !hasKeys {
      components?["securitySchemes"] = nil
      document["security"] = nil
    }
    document["components"] = components
    return document
  }

  /// The schema of a request: one object for the models of each kind, since temperatures and samplers depend on it.
  private func request(_ kind: String, required: [String]) -> JSONValue {
    let parts = file(PackageResources.openapi_requests_json)
    let schemas = [false, true].compactMap { probabilities -> JSONValue? in
      let names = models.list.filter { ((try? $0.engine.facts().hasProbabilities) ?? probabilities) == probabilities }
        .map { JSONValue.string($0.name) }
      if names.isEmpty { return nil }
      let keys = ["common", kind, probabilities ? "probabilities" : "continuous"]
      var properties = JSONValue.object(keys.flatMap { parts[$0]?["properties"]?.object ?? [] })
      properties["model"] = .object(("type", .string("string")), ("enum", .array(names)))
      return .object(
        ("type", .string("object")), ("additionalProperties", .bool(false)),
        ("required", .array(required.map { .string($0) })), ("properties", properties),
        ("allOf", .array(keys.flatMap { parts[$0]?["conditions"]?.array ?? [] })))
    }
    return schemas.count == 1 ? schemas[0] : .object(("anyOf", .array(schemas)))
  }

  private func file(_ bytes: [UInt8]) -> JSONValue {
    do { return filled(try JSONParser.parse(bytes)) } catch { preconditionFailure("OpenAPI: \(error.reason)") }
  }

  /// Replaces the names of values.
  private func filled(_ value: JSONValue) -> JSONValue {
    switch value {
    case .string(let text): text.hasPrefix("$") ? values[String(text.dropFirst())] ?? value : value
    case .array(let elements): .array(elements.map(filled))
    case .object(let members): .object(members.map { JSONValue.Member(key: $0.key, value: filled($0.value)) })
    default: value
    }
  }
}
