import CALMServing
import CALMSupport
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// Completions and chats: from the body of a request to a body or a stream of events.
struct CompletionHandler: Sendable {
  let models: ServedModels
  let settings: ServerSettings
  let metrics: ServingMetrics

  /// - Throws: ``APIError``, or the errors of ``Engine``.
  func respond(kind: CompletionCall.Kind, body: [UInt8], channel: any Channel) async throws -> Response {
    let json = try CompletionCall.json(body, limits: settings.limits)
    let engine = try models.model(CompletionCall.modelName(in: json)).engine
    var call = try CompletionCall(
      json, kind: kind, facts: engine.facts(), limits: settings.limits, seed: .random(in: 0...UInt64(Int64.max)))
    call.request.deadline = ContinuousClock.now + settings.requestTime
    let running = try engine.start(call.request)
    metrics.countPrompt(tokens: call.request.promptTokens, of: call.model)
    // A client that is gone frees its place.
    channel.closeFuture.whenComplete { _ in running.cancel() }
    let response = CompletionResponse(
      call, id: String(UInt64.random(in: 0 ... .max), radix: 36) + String(UInt64.random(in: 0 ... .max), radix: 36),
      created: Int(Date().timeIntervalSince1970))
    let watch = PieceWatch(metrics, model: call.model)
    return call.isStream ? stream(response, running, watch) : try await collect(response, running, watch)
  }

  private func collect(
    _ response: CompletionResponse, _ running: Engine.Running, _ watch: PieceWatch
  ) async throws -> Response {
    var (response, watch) = (response, watch)
    for try await piece in running.pieces {
      watch.add(piece)
      response.append(piece)
    }
    return Response(json: response.body)
  }

  private func stream(_ response: CompletionResponse, _ running: Engine.Running, _ watch: PieceWatch) -> Response {
    let body = ResponseBody { writer in
      var (response, watch) = (response, watch)
      func write(_ events: [JSONValue]) async throws {
        if events.isEmpty { return }
        try await writer.write(ByteBuffer(string: events.map { "data: \($0.line)\n\n" }.joined()))
      }
      do {
        try await write(response.opening)
        do {
          for try await piece in running.pieces {
            watch.add(piece)
            try await write(response.events(piece))
          }
        } catch let error where !(error is CancellationError) && !(error is ChannelError) {
          try await write([APIError(error).json])
          try await writer.finish(nil)
          return
        }
        try await write(response.closing)
        try await writer.write(ByteBuffer(string: "data: [DONE]\n\n"))
        try await writer.finish(nil)
      } catch {
        // The client is gone.
        running.cancel()
        throw error
      }
    }
    return Response(
      status: .ok,
      headers: [
        .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
      ], body: body)
  }
}

/// Times the pieces of a request.
private struct PieceWatch {
  private let metrics: ServingMetrics
  private let model: String
  private let start = ContinuousClock.now
  private var latest: [Int: ContinuousClock.Instant] = [:]

  init(_ metrics: ServingMetrics, model: String) { (self.metrics, self.model) = (metrics, model) }

  mutating func add(_ piece: EnginePiece) {
    let now = ContinuousClock.now
    if let before = latest.updateValue(now, forKey: piece.choice) {
      metrics.addPiece(after: before.duration(to: now), of: model)
    } else {
      metrics.addFirstPiece(after: start.duration(to: now), of: model)
    }
  }
}
