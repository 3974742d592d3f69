import ArgumentParser
import CALM
import CALMServer
import CALMServing
import CALMSupport
import CALMTerminal
import Foundation
import Logging
import Torch

/// The command `calm-serve`: models as a server with OpenAI's interface.
@main
struct CalmServe: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calm serve",
    abstract: "Serve models over HTTP with OpenAI's interface.",
    discussion: """
      Answers /v1/completions, /v1/chat/completions and /v1/models for any OpenAI client. Many requests run at once, \
      and a seed gives the same text whatever else is served. The server listens on this computer only unless --host \
      says otherwise. docs/serving.md lists the supported fields.

      Example:
        calm serve runs/lm/model
        calm serve --model small=runs/lm/model --model base=runs/transformer/model --port 9000
        curl localhost:8080/v1/completions -H 'Content-Type: application/json' \\
          -d '{"model": "lm", "prompt": "Once upon a time", "max_tokens": 64}'
      """,
    version: calmVersion)

  @Argument(help: ArgumentHelp("A language model's folder.", valueName: "model"))
  var folder: String?

  @Option(
    help: ArgumentHelp("A model's name for clients and its folder; may be repeated.", valueName: "name=folder"))
  var model: [String] = []

  @Option(help: ArgumentHelp("Address to listen on.", valueName: "address"))
  var host = ServerSettings().host

  @Option(help: ArgumentHelp("Port to listen on.", valueName: "port"), transform: whole(from: 0, to: 65_535))
  var port = ServerSettings().port

  @Option(
    help: ArgumentHelp(
      "File of keys, one a line, of which every request but /health needs one.", valueName: "file"))
  var apiKeyFile: String?

  @Option(
    help: ArgumentHelp(
      "A name by which clients may address the server; may be repeated. (default: those of this computer)",
      valueName: "name"))
  var allowHost: [String] = []

  @Option(
    help: ArgumentHelp(
      "A web origin whose pages may use the server, such as https://example.org; may be repeated. (default: none)",
      valueName: "origin"))
  var corsOrigin: [String] = []

  @Option(
    help: ArgumentHelp("Maximum sequences generated at once, per model.", valueName: "n"),
    transform: whole(from: 1, to: 4_096))
  var maxSequences = EngineLimits().sequences

  @Option(
    help: ArgumentHelp("Maximum sequences that wait beyond those, per model.", valueName: "n"),
    transform: whole(from: 0, to: 1_000_000))
  var queue = EngineLimits().queue

  @Option(
    help: ArgumentHelp("Memory for keys and values, in MiB, per model.", valueName: "mib"),
    transform: whole(from: 1, to: 1 << 24))
  var maxMemory = EngineLimits().cacheBytes >> 20

  @Option(
    help: ArgumentHelp("Maximum tokens of a prompt.", valueName: "n"), transform: whole(from: 1, to: 1 << 20))
  var maxPromptTokens = ServingLimits().promptTokens

  @Option(
    help: ArgumentHelp("Maximum tokens of a completion.", valueName: "n"), transform: whole(from: 1, to: 1 << 20))
  var maxNewTokens = ServingLimits().completionTokens

  @Option(
    help: ArgumentHelp(
      "Maximum samples per chunk, for the exact sampler and when conditioning on a partial prompt chunk.",
      valueName: "n"),
    transform: whole(from: 1, to: 1 << 20))
  var maxSamples = ServingLimits().samples

  @Option(
    help: ArgumentHelp("Maximum open connections.", valueName: "n"), transform: whole(from: 1, to: 65_536))
  var maxConnections = ServerSettings().connections

  @Option(
    help: ArgumentHelp("Seconds for a request, its time in the queue included.", valueName: "s"),
    transform: whole(from: 1, to: 86_400))
  var requestTimeout = Int(ServerSettings().requestTime.components.seconds)

  @Option(
    help: ArgumentHelp("Seconds for running requests to end at SIGTERM.", valueName: "s"),
    transform: whole(from: 0, to: 86_400))
  var drain = Int(ServerSettings().drainTime.components.seconds)

  @OptionGroup var compute: ComputeOptions

  func validate() throws {
    if folder == nil && model.isEmpty {
      throw ValidationError("no model; give a folder such as runs/lm/model, or --model NAME=FOLDER")
    }
    if let wrong = corsOrigin.first(where: { !CrossOrigin.isOrigin($0) }) {
      throw ValidationError("--cors-origin \(wrong): give a scheme and a name, such as https://example.org")
    }
  }

  func run() async throws {
    let setting = try compute.prepare()
    let (device, precision) = (setting.device, setting.precision)
    var settings = ServerSettings()
    (settings.host, settings.port, settings.hosts) = (host, port, allowHost)
    settings.origins = corsOrigin
    (settings.connections, settings.drainTime) = (maxConnections, .seconds(drain))
    settings.requestTime = .seconds(requestTimeout)
    (settings.limits.promptTokens, settings.limits.completionTokens) = (maxPromptTokens, maxNewTokens)
    settings.limits.samples = maxSamples
    settings.keys = try apiKeyFile.map(KeyFile.read) ?? []
    if !settings.isLoopback && settings.keys.isEmpty {
      StandardError.note(
        "warning: anyone who reaches \(host) may use this server; give --api-key-file, or listen on 127.0.0.1")
    }

    let metrics = ServingMetrics()
    let limits = EngineLimits(sequences: maxSequences, queue: queue, cacheBytes: maxMemory << 20)
    let created = Int(Date().timeIntervalSince1970)
    let models = try ModelName.all(folder: folder, named: model).map {
      name, folder -> (name: String, engine: Engine, created: Int) in
      let modelFolder = try ModelFolder(URL(fileURLWithPath: folder))
      let report: @Sendable (TurnReport) -> Void = { metrics.add($0, of: name) }
      let engine = Engine(limits: limits, report: report) {
        try ServedModel(modelFolder, device: device, as: precision)
      }
      return (name: name, engine: engine, created: created)
    }
    var logger = Logger(label: "calm-serve", factory: { StreamLogHandler.standardError(label: $0) })
    logger.logLevel = .info
    let address = host
    let application = ServingApplication(ServedModels(models), settings: settings, metrics: metrics, logger: logger)
    // A model that cannot be loaded ends the program instead of a server that refuses everything.
    let loading = Task.detached {
      for model in models where try model.engine.waitUntilLoaded().hasUnknownTemplate {
        StandardError.note("calm: \(model.name): the chat template is of no known form, so chats have the plain form")
      }
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await loading.value }
      group.addTask {
        try await application.run { port in
          StandardError.note("calm: listening on http://\(address.contains(":") ? "[\(address)]" : address):\(port)")
        }
      }
      do {
        try await group.next()
        try await group.next()
      } catch {
        group.cancelAll()
        throw error
      }
    }
  }

  static func main() async {
    // A client that is gone is an error of the write.
    signal(SIGPIPE, SIG_IGN)
    do {
      try Processor.Level.checkLimit()
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      guard exitCode(for: error) == .failure else { exit(withError: error) }
      StandardError.write("Error: \(failureLine(for: error))\n")
      exit(withError: ExitCode.failure)
    }
  }
}
