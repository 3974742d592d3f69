import CALMServing
import CALMSupport
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// Answers every request: the routes, and what holds for all of them.
struct ServingResponder: HTTPResponder {
  let models: ServedModels
  let settings: ServerSettings
  let metrics: ServingMetrics
  private let access: Access
  private let crossOrigin: CrossOrigin

  init(_ models: ServedModels, settings: ServerSettings, metrics: ServingMetrics) {
    (self.models, self.settings, self.metrics) = (models, settings, metrics)
    (access, crossOrigin) = (Access(settings), CrossOrigin(settings))
  }

  func respond(to request: Request, context: ServingContext) async throws -> Response {
    let start = ContinuousClock.now
    let route = Route(path: request.uri.path)
    var response: Response
    do {
      if crossOrigin.isPreflight(request.head) {
        try access.checkHost(request.head)
        response = crossOrigin.preflight(request.head)
      } else {
        response = try await answer(request, route, context)
      }
    } catch {
      response = Response(APIError(error))
      if !(error is APIError) { context.logger.debug("request failed", metadata: ["reason": "\(error)"]) }
    }
    crossOrigin.allow(request.head, &response)
    if request.method == .head { response = response.createHeadResponse() }
    metrics.count(route: route?.rawValue ?? "other", status: response.status.code)
    // Neither prompt nor text, and no path that a client chose.
    context.logger.info(
      "request",
      metadata: [
        "method": "\(request.method.rawValue.prefix(16))", "route": "\(route?.rawValue ?? "other")",
        "status": "\(response.status.code)", "seconds": "\(start.duration(to: .now) / .seconds(1))",
      ])
    return response
  }

  private func answer(_ request: Request, _ route: Route?, _ context: ServingContext) async throws -> Response {
    try access.checkHost(request.head)
    if route?.needsKey ?? true { try access.checkKey(request.head) }
    guard let route else { return try modelOrNothing(request) }
    guard request.method == route.method || (request.method == .head && route.method == .get) else {
      return Self.wrongMethod(route.method)
    }
    switch route {
    case .health: return health
    case .metrics: return Response(type: "text/plain; version=0.0.4; charset=utf-8", text: metricsText)
    case .page: return Playground.response(request.uri.path)
    case .openAPI: return Response(json: OpenAPIDocument(models, settings: settings).json)
    case .models:
      return Response(json: .object(("object", .string("list")), ("data", .array(models.list.map(json)))))
    case .completions, .chat:
      try access.checkContent(request.head)
      let handler = CompletionHandler(models: models, settings: settings, metrics: metrics)
      return try await handler.respond(
        kind: route == .chat ? .chat : .completion, body: body(of: request), channel: context.channel)
    }
  }

  /// `/v1/models/NAME`.
  private func modelOrNothing(_ request: Request) throws(APIError) -> Response {
    let prefix = Route.models.rawValue + "/"
    let path = request.uri.path
    guard path.hasPrefix(prefix), let name = String(path.dropFirst(prefix.count)).removingPercentEncoding else {
      throw APIError(
        status: 404, "there is no such route", type: "invalid_request_error", code: "not_found")
    }
    guard request.method == .get || request.method == .head else {
      return Self.wrongMethod(.get)
    }
    return Response(json: json(try models.model(name)))
  }

  private static func wrongMethod(_ method: HTTPRequest.Method) -> Response {
    var response = Response(
      APIError(
        status: 405, "this route takes \(method.rawValue) requests", type: "invalid_request_error",
        code: "method_not_allowed"))
    response.headers[.allow] = method.rawValue
    return response
  }

  /// A model, with its facts as soon as it is loaded.
  private func json(_ model: (name: String, engine: Engine, created: Int)) -> JSONValue {
    var value = JSONValue.object(
      ("id", .string(model.name)), ("object", .string("model")), ("created", .integer(model.created)),
      ("owned_by", .string("calm")))
    if let facts = try? model.engine.facts() {
      value["calm"] = .object(
        ("chunk_size", .integer(facts.chunkSize)), ("maximum_tokens", .integer(facts.maximumTokens)),
        ("maximum_new_tokens", .integer(min(facts.maximumTokens - 1, settings.limits.completionTokens))),
        ("probabilities", .bool(facts.hasProbabilities)))
    }
    return value
  }

  /// 200 if every model is loaded, else 503.
  private var health: Response {
    let states = models.list.map { model in
      let word =
        switch model.engine.state {
        case .ready: model.engine.isClosed ? "stopping" : "ready"
        case .loading: "loading"
        case .failed: "failed"
        }
      return (model.name, word)
    }
    let isReady = states.allSatisfy { $0.1 == "ready" }
    let list = states.map { JSONValue.Member(key: $0.0, value: .string($0.1)) }
    return Response(
      isReady ? .ok : .serviceUnavailable,
      json: .object(("status", .string(isReady ? "ok" : "unavailable")), ("models", .object(list))))
  }

  private var metricsText: String {
    metrics.text(engines: models.list.map { ($0.name, $0.engine.status, $0.engine.limits) })
  }

  private func body(of request: Request) async throws -> [UInt8] {
    let tooLarge = APIError(
      status: 413, "the body exceeds \(settings.bodyBytes) bytes", type: "invalid_request_error",
      code: "body_too_large")
    if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > settings.bodyBytes {
      throw tooLarge
    }
    var bytes: [UInt8] = []
    var parts = request.body.makeAsyncIterator()
    while true {
      let part: ByteBuffer?
      // A body that does not end is one of a client that is gone.
      do { part = try await parts.next() } catch { throw CancellationError() }
      guard let part else { return bytes }
      guard bytes.count + part.readableBytes <= settings.bodyBytes else { throw tooLarge }
      bytes += part.readableBytesView
    }
  }
}
