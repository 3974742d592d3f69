import CALMServing

/// The settings of a server.
package struct ServerSettings: Sendable {
  /// The address to listen on.
  package var host = "127.0.0.1"
  /// The port; 0 for any that is free.
  package var port = 8080
  /// The keys of which every request but those for `/health` must have one; empty for no check.
  package var keys: [String] = []
  /// The names under which clients may address the server, beyond those of the loopback interface. Empty checks the
  /// `Host` header only if the server listens on a loopback address.
  package var hosts: [String] = []
  /// The web origins whose pages may use the server, such as `https://example.org`.
  package var origins: [String] = []
  /// The limits of a request.
  package var limits = ServingLimits()
  /// The maximum size of a request's body, in bytes.
  package var bodyBytes = 1 << 20
  /// The maximum number of connections. At the maximum, the one without a request for the longest time is closed. If all
  /// have requests, further ones wait in the queue of the operating system.
  package var connections = 1_024
  /// The time for the whole body of a request after its headers, and for a client to take what was sent.
  package var transferTime = Duration.seconds(30)
  /// The time until the next headers on an open connection.
  package var idleTime = Duration.seconds(60)
  /// The time for a request as a whole, the queue included.
  package var requestTime = Duration.seconds(600)
  /// The time for running requests to end at a shutdown.
  package var drainTime = Duration.seconds(30)

  package init() {}

  /// Whether the server listens on the loopback interface only.
  package var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }
}
