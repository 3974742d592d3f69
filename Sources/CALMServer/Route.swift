import HTTPTypes

/// The routes of the server. `/v1/models/NAME` belongs to ``models``.
package enum Route: String, CaseIterable, Sendable {
  /// The playground, with the files that it loads.
  case page = "/"
  case openAPI = "/openapi.json"
  case health = "/health"
  case metrics = "/metrics"
  case models = "/v1/models"
  case completions = "/v1/completions"
  case chat = "/v1/chat/completions"

  /// The route of a path; nil if there is none.
  init?(path: String) {
    if Playground.contains(path) {
      self = .page
    } else {
      self.init(rawValue: path)
    }
  }

  /// The method of its requests. A GET route also answers HEAD.
  package var method: HTTPRequest.Method {
    switch self {
    case .page, .openAPI, .health, .metrics, .models: .get
    case .completions, .chat: .post
    }
  }

  /// Whether its requests need one of the keys, if there are any.
  var needsKey: Bool { self != .health && self != .page }
}
