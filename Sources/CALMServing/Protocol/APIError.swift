import CALM
import CALMSupport

/// A refusal or failure in the form that OpenAI's clients expect, with its HTTP status.
package struct APIError: Error, Hashable, Sendable {
  /// The HTTP status.
  package var status: Int
  /// One line: what is wrong and what to do.
  package var message: String
  /// `invalid_request_error`, `authentication_error`, `rate_limit_error` or `server_error`.
  package var type: String
  /// The field that is wrong, such as `stop` or `messages[0].role`; nil if it is not one field.
  package var param: String?
  /// A word for programs.
  package var code: String?
  /// Seconds after which to try again; nil where that does not help.
  package var retryAfter: Int?

  package init(
    status: Int, _ message: String, type: String, param: String? = nil, code: String? = nil, retryAfter: Int? = nil
  ) {
    (self.status, self.message, self.type, self.param) = (status, message, type, param)
    (self.code, self.retryAfter) = (code, retryAfter)
  }

  /// A request that is wrong: status 400.
  package static func invalid(_ message: String, param: String? = nil, code: String? = nil) -> APIError {
    APIError(status: 400, message, type: "invalid_request_error", param: param, code: code)
  }

  /// The error for a failure of an engine.
  package init(_ error: any Error) {
    switch error {
    case let error as APIError: self = error
    case let error as EngineError: self.init(error)
    case TemperatureError.maximumSamplesReached, GenerationError.beginningTooRare:
      self.init(status: 422, "\(error)", type: "invalid_request_error", param: "calm.sampler", code: "too_rare")
    case is TemperatureError: self = .invalid("\(error)", param: "temperature")
    case GenerationError.notFinite:
      self.init(status: 500, "\(error)", type: "server_error", code: "not_finite")
    case GenerationError.idWithoutText:
      self.init(status: 500, "\(error)", type: "server_error", code: "model_mismatch")
    case is GenerationError: self = .invalid("\(error)")
    // Nobody receives it, but logs and metrics show it.
    case is CancellationError:
      self.init(status: 499, "the client closed the connection", type: "invalid_request_error", code: "cancelled")
    default: self.init(status: 500, "the server failed to answer", type: "server_error", code: "internal")
    }
  }

  private init(_ error: EngineError) {
    let text = "\(error)"
    switch error {
    case .loading:
      self.init(status: 503, text, type: "server_error", code: "model_loading", retryAfter: 2)
    case .notLoaded, .stopped: self.init(status: 503, text, type: "server_error", code: "unavailable")
    case .queueFull: self.init(status: 429, text, type: "rate_limit_error", code: "queue_full", retryAfter: 1)
    case .tooManyChoices: self = .invalid(text, param: "n")
    case .tooLong: self = .invalid(text, code: "context_length_exceeded")
    case .tooLarge: self = .invalid(text, code: "cache_exceeded")
    case .timedOut: self.init(status: 408, text, type: "invalid_request_error", code: "timeout")
    }
  }

  /// The body of the response: `{"error": {message, type, param, code}}`.
  package var json: JSONValue {
    .object(
      "error",
      .object(
        ("message", .string(message)), ("type", .string(type)), ("param", param.map { .string($0) } ?? .null),
        ("code", code.map { .string($0) } ?? .null)))
  }
}

extension JSONValue {
  /// An object of the given members.
  package static func object(_ members: (key: String, value: JSONValue)...) -> JSONValue {
    .object(members.map { Member(key: $0.key, value: $0.value) })
  }

  fileprivate static func object(_ key: String, _ value: JSONValue) -> JSONValue { .object((key, value)) }
}
