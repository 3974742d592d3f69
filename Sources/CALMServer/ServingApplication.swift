import CALMServing
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

/// A server that is ready to run.
package struct ServingApplication: Sendable {
  private let models: ServedModels
  private let settings: ServerSettings
  private let metrics: ServingMetrics
  private let logger: Logger

  package init(_ models: ServedModels, settings: ServerSettings, metrics: ServingMetrics, logger: Logger) {
    (self.models, self.settings, self.metrics, self.logger) = (models, settings, metrics, logger)
  }

  /// Serves until a signal arrives, then lets running requests end.
  ///
  /// - Parameters:
  ///   - signals: the signals that end it.
  ///   - onRunning: receives the port, once connections are accepted.
  package func run(
    signals: [UnixSignal] = [.sigterm, .sigint], onRunning: @escaping @Sendable (Int) -> Void = { _ in }
  ) async throws {
    let connections = OpenConnections(maximum: settings.connections)
    var connection = HTTP1Channel.Configuration(
      additionalChannelHandlers: [
        ConnectionGuard(connections, idleTime: settings.idleTime, transferTime: settings.transferTime)
      ])
    connection.httpDecoder = .init(
      maxHeaderFieldSize: 8 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 100)
    let application = Application(
      responder: ServingResponder(models, settings: settings, metrics: metrics),
      server: .http1(configuration: connection),
      configuration: ApplicationConfiguration(
        address: .hostname(settings.host, port: settings.port),
        availableConnectionsDelegate: MaximumAvailableConnections(settings.connections)),
      onServerRunning: { onRunning($0.localAddress?.port ?? 0) }, logger: logger)
    // Services are shut down in the opposite order: first the requests, then the server.
    var configuration = ServiceGroupConfiguration(
      services: [application, Drain(models: models, time: settings.drainTime)],
      gracefulShutdownSignals: signals, logger: logger)
    configuration.maximumGracefulShutdownDuration = settings.drainTime + settings.transferTime
    defer { models.stop() }
    try await ServiceGroup(configuration: configuration).run()
  }
}

/// Refuses new requests at a shutdown, waits for the running ones, and ends those that take too long.
private struct Drain: Service {
  let models: ServedModels
  let time: Duration

  func run() async throws {
    try? await gracefulShutdown()
    models.close()
    let end = ContinuousClock.now + time
    while !models.isIdle, ContinuousClock.now < end {
      do { try await Task.sleep(for: .milliseconds(20)) } catch { break }
    }
    models.stop()
  }
}
