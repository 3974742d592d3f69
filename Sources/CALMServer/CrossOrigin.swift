import HTTPTypes
import Hummingbird

/// The web origins whose pages may use the server (CORS). Without any, no response has a header about it, and browsers
/// keep the pages of other sites away.
package struct CrossOrigin: Sendable {
  private let origins: Set<String>

  init(_ settings: ServerSettings) {
    origins = Set(settings.origins.map { $0.lowercased() })
  }

  /// Whether a text is an origin as browsers send it: a scheme, a name and perhaps a port, without a path.
  package static func isOrigin(_ text: String) -> Bool {
    text.wholeMatch(of: #/https?:\/\/([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?/#) != nil
  }

  /// Whether the browser asks if a page of one of the origins may send a request.
  func isPreflight(_ request: HTTPRequest) -> Bool {
    request.method == .options && request.headerFields[.accessControlRequestMethod] != nil && origin(request) != nil
  }

  /// The answer to that question: the methods of the routes, and any headers. OpenAI's client for browsers sends many.
  func preflight(_ request: HTTPRequest) -> Response {
    var headers: HTTPFields = [
      .accessControlAllowMethods: "GET, HEAD, POST", .accessControlMaxAge: "600", .cacheControl: "no-store",
    ]
    headers[.accessControlAllowHeaders] = request.headerFields[.accessControlRequestHeaders]
    return Response(status: .noContent, headers: headers)
  }

  /// Lets the page that sent a request read the response.
  func allow(_ request: HTTPRequest, _ response: inout Response) {
    if origins.isEmpty { return }
    response.headers[.vary] = "Origin"
    guard let origin = origin(request) else { return }
    response.headers[.accessControlAllowOrigin] = origin
    response.headers[.accessControlExposeHeaders] = "Retry-After"
  }

  /// The origin of the page that sent a request; nil if it is none of those.
  private func origin(_ request: HTTPRequest) -> String? {
    guard let origin = request.headerFields[.origin], origins.contains(origin.lowercased()) else { return nil }
    return origin
  }
}
