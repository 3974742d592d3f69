import CALM
import CALMServer
import CALMServing
import CALMTokenizer
import Foundation
import Logging
import ServiceLifecycleTestKit
import Torch

/// A server on a free port with a random model of bytes.
struct TestServer: Sendable {
  let port: Int
  let engine: Engine

  /// Runs a server while `body` runs.
  ///
  /// - Parameters:
  ///   - isDamaged: whether the model yields NaN for prompts with `~`.
  static func run(
    _ limits: EngineLimits = EngineLimits(), isDamaged: Bool = false,
    settings: ServerSettings = TestServer.settings { _ in },
    _ body: @escaping @Sendable (TestServer) async throws -> Void
  ) async throws {
    let metrics = ServingMetrics()
    let report: @Sendable (TurnReport) -> Void = { metrics.add($0, of: "tiny") }
    let engine = Engine(limits: limits, report: report) { try model(isDamaged: isDamaged) }
    _ = try await Task.detached { try engine.waitUntilLoaded() }.value
    var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .critical
    let application = ServingApplication(
      ServedModels([("tiny", engine, 1)]), settings: settings, metrics: metrics, logger: logger)
    let (ports, port) = AsyncStream<Int>.makeStream()
    // Shut down and not cancelled, even if `body` fails: swift-nio crashes if the task of a server is cancelled while a
    // connection is accepted.
    try await testGracefulShutdown { shutdown in
      async let server: Void = {
        defer { port.finish() }
        try await application.run(signals: []) { port.yield($0) }
      }()
      var failure: (any Error)?
      for await number in ports {
        do { try await body(TestServer(port: number, engine: engine)) } catch { failure = error }
        break
      }
      shutdown.triggerGracefulShutdown()
      try await server
      if let failure { throw failure }
    }
  }

  /// The settings of a server on a free port.
  static func settings(_ adjust: (inout ServerSettings) -> Void) -> ServerSettings {
    var settings = ServerSettings()
    settings.port = 0
    settings.drainTime = .milliseconds(200)
    adjust(&settings)
    return settings
  }

  private static func model(isDamaged: Bool) throws -> ServedModel {
    let tokenizer = try tokenizer()
    let model = languageModel()
    if isDamaged {
      withoutGradients { model.backbone.embedding.weight.selected(0, Int(tokenizer.encode("~")[0])).fill(.nan) }
    }
    return ServedModel(ContinuousBatch(model), tokenizer: tokenizer)
  }

  /// A tokenizer of bytes.
  static func tokenizer() throws -> Tokenizer {
    var trainer = try BPETrainer(vocabularySize: 259)
    trainer.add("abc")
    return try trainer.train()
  }

  /// A random model of bytes.
  static func languageModel(maximumPositions: Int? = nil) -> ContinuousLanguageModel {
    let generator = Generator(seed: 1)
    var small = AutoencoderConfiguration(
      vocabularySize: 259, chunkSize: 4, latentSize: 8, hiddenSize: 32, special: SpecialTokens(padding: 0))
    small.initializerRange = 0.3
    var configuration = LanguageModelConfiguration(
      vocabularySize: 259, chunkSize: 4, latentSize: 8, hiddenSize: 32, layers: 2, attentionHeads: 4, headBlocks: 2,
      special: SpecialTokens(padding: 0))
    configuration.noiseSize = 16
    if let maximumPositions { configuration.transformer.maximumPositions = maximumPositions }
    let model = ContinuousLanguageModel(
      configuration, autoencoder: Autoencoder(small, generator: generator), generator: generator)
    withoutGradients {
      for parameter in model.namedParameters() where parameter.name == "mlp_generator.final_layer.linears.2.weight" {
        parameter.tensor.copy(from: generator.normal(parameter.tensor.shape, deviation: 2))
      }
    }
    return model
  }

  /// The text of a request that closes its connection.
  func request(_ method: String = "POST", _ path: String, _ body: String = "", headers: [String] = []) -> String {
    let type = body.isEmpty ? [] : ["Content-Type: application/json", "Content-Length: \(body.utf8.count)"]
    let host = headers.contains { $0.hasPrefix("Host:") } ? [] : ["Host: localhost:\(port)"]
    let lines = ["\(method) \(path) HTTP/1.1", "Connection: close"] + host + type + headers
    return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
  }

  /// Sends a request, and returns the whole response.
  func send(_ method: String = "POST", _ path: String, _ body: String = "", headers: [String] = []) async throws
    -> Reply
  {
    try await sendText(request(method, path, body, headers: headers))
  }

  /// Sends a text, and returns all that comes back.
  func sendText(_ text: String) async throws -> Reply {
    let port = port
    return try await Self.onThread {
      let client = try SocketClient(port: port)
      client.transmit(text)
      return Reply(client.receive())
    }
  }

  /// Runs blocking calls outside of the threads of Swift concurrency.
  static func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      Thread { continuation.resume(with: Result { try body() }) }.start()
    }
  }

  /// Waits until a request runs or waits, for at most ten seconds: it may have ended before.
  func waitUntilBusy() async throws {
    for _ in 0..<10_000 where engine.isIdle { try await Task.sleep(for: .milliseconds(1)) }
  }

  /// Waits until no request runs or waits.
  func waitUntilIdle() async throws {
    while !engine.isIdle { try await Task.sleep(for: .milliseconds(2)) }
  }
}
