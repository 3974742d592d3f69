import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Closes connections whose client is too slow or gone, or idle while others wait (``OpenConnections``).
///
/// A client has ``ServerSettings/idleTime`` to send the headers of a request, ``ServerSettings/transferTime`` for the
/// rest of it, however it is divided, and the same time to take each part of a response. A client that closes its side
/// while it waits for a response is gone: the connection is closed at once, which ends the request.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart

  private let connections: OpenConnections
  private let idleTime: TimeAmount
  private let transferTime: TimeAmount
  /// Closes the connection unless the next headers or the end of the request arrive.
  private var readTimer: Scheduled<Void>?
  /// Closes the connection unless the client takes what was sent.
  private var writeTimer: Scheduled<Void>?
  private var pendingWrites = 0
  private var openRequests = 0

  init(_ connections: OpenConnections, idleTime: Duration, transferTime: Duration) {
    self.connections = connections
    (self.idleTime, self.transferTime) = (TimeAmount(idleTime), TimeAmount(transferTime))
  }

  func handlerAdded(context: ChannelHandlerContext) {
    readTimer = timer(context, idleTime)
    connections.opened(context.channel)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    stop()
    connections.closed(context.channel)
  }

  func channelInactive(context: ChannelHandlerContext) {
    stop()
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head:
      if openRequests == 0 { connections.becameBusy(context.channel) }
      openRequests += 1
      readTimer?.cancel()
      readTimer = timer(context, transferTime)
    case .body: break
    case .end:
      readTimer?.cancel()
      readTimer = nil
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if case .end = unwrapOutboundIn(data) {
      openRequests -= 1
      if openRequests == 0 {
        connections.becameIdle(context.channel)
        if readTimer == nil { readTimer = timer(context, idleTime) }
      }
    }
    let written = promise ?? context.eventLoop.makePromise()
    pendingWrites += 1
    if writeTimer == nil { writeTimer = timer(context, transferTime) }
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    written.futureResult.whenComplete { _ in
      let (handler, context) = bound.value
      handler.written(context)
    }
    context.write(data, promise: written)
  }

  private func written(_ context: ChannelHandlerContext) {
    pendingWrites -= 1
    writeTimer?.cancel()
    writeTimer = pendingWrites > 0 && context.channel.isActive ? timer(context, transferTime) : nil
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? ChannelEvent, event == .inputClosed, openRequests > 0 {
      context.close(promise: nil)
    }
    context.fireUserInboundEventTriggered(event)
  }

  private func timer(_ context: ChannelHandlerContext, _ time: TimeAmount) -> Scheduled<Void> {
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    return context.eventLoop.scheduleTask(in: time) { bound.value.close(promise: nil) }
  }

  private func stop() {
    readTimer?.cancel()
    writeTimer?.cancel()
    (readTimer, writeTimer) = (nil, nil)
  }
}
