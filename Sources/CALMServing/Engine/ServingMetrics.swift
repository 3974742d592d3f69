import Synchronization

/// What a server counts and times, in the text format of Prometheus.
package final class ServingMetrics: Sendable {
  private struct State {
    var requests: [Request: Int] = [:]
    var models: [String: ModelState] = [:]
  }

  fileprivate struct ModelState {
    var promptTokens = 0
    var generatedTokens = 0
    var sharedPieces = 0
    var firstPiece = Histogram(bounds: seconds)
    var betweenPieces = Histogram(bounds: seconds)
    var queue = Histogram(bounds: seconds)
    var batch = Histogram(bounds: [1, 2, 4, 8, 16, 32, 64, 128, 256])
    var samples = Histogram(bounds: [1, 4, 16, 32, 64, 100, 200, 400, 1_000, 2_000, 5_000])

    static let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
  }

  private struct Request: Hashable {
    let route: String
    let status: Int
  }

  private let state = Mutex(State())

  package init() {}

  /// Counts a response.
  ///
  /// - Parameter route: one of a few, never a path that a client chose.
  package func count(route: String, status: Int) {
    state.withLock { $0.requests[Request(route: route, status: status), default: 0] += 1 }
  }

  /// Counts the tokens of accepted prompts.
  package func countPrompt(tokens: Int, of model: String) {
    state.withLock { $0.models[model, default: ModelState()].promptTokens += tokens }
  }

  /// Adds the measurements of a turn.
  package func add(_ report: TurnReport, of model: String) {
    state.withLock { state in
      state.models[model, default: ModelState()].add(report)
    }
  }

  /// Adds the time from the arrival of a request to the first piece of a choice.
  package func addFirstPiece(after time: Duration, of model: String) {
    state.withLock { $0.models[model, default: ModelState()].firstPiece.add(time / .seconds(1)) }
  }

  /// Adds the time between two pieces of a choice.
  package func addPiece(after time: Duration, of model: String) {
    state.withLock { $0.models[model, default: ModelState()].betweenPieces.add(time / .seconds(1)) }
  }

  /// The exposition in the text format, version 0.0.4.
  ///
  /// - Parameter engines: the name, state and limits of each model.
  package func text(engines: [(name: String, status: Engine.Status, limits: EngineLimits)]) -> String {
    let state = state.withLock { $0 }
    var text = MetricsText()
    let requests = state.requests.sorted { ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status) }
    text.add(
      "requests_total", "counter", "Responses by route and status.",
      requests.map { ("route=\"\($0.key.route)\",status=\"\($0.key.status)\"", Double($0.value)) })
    let models = engines.map { engine in
      (
        label: "model=\"\(MetricsText.escaped(engine.name))\"", engine: engine,
        state: state.models[engine.name] ?? ModelState()
      )
    }
    func add(_ name: String, _ type: String, _ help: String, _ value: (Engine.Status, EngineLimits, ModelState) -> Int)
    {
      text.add(name, type, help, models.map { ($0.label, Double(value($0.engine.status, $0.engine.limits, $0.state))) })
    }
    func add(_ name: String, _ help: String, _ histogram: KeyPath<ModelState, Histogram>) {
      text.add(name, help, models.map { ($0.label, $0.state[keyPath: histogram]) })
    }
    add("prompt_tokens_total", "counter", "Tokens of accepted prompts.") { $2.promptTokens }
    add("generated_tokens_total", "counter", "Generated tokens.") { $2.generatedTokens }
    add("shared_prompt_pieces_total", "counter", "Pieces of prompts that were taken from earlier prompts.") {
      $2.sharedPieces
    }
    add("running_sequences", "gauge", "Sequences that are generated.") { status, _, _ in status.running }
    add("waiting_sequences", "gauge", "Sequences that wait.") { status, _, _ in status.waiting }
    add("cache_reserved_bytes", "gauge", "Memory reserved for keys and values.") { status, _, _ in status.cacheBytes }
    add("cache_prefix_bytes", "gauge", "Memory of beginnings of prompts for others.") { status, _, _ in
      status.prefixBytes
    }
    add("cache_limit_bytes", "gauge", "Memory for keys and values.") { _, limits, _ in limits.cacheBytes }
    add("time_to_first_piece_seconds", "From the arrival of a request to the first piece.", \.firstPiece)
    add("time_between_pieces_seconds", "Between two pieces of a choice.", \.betweenPieces)
    add("queue_time_seconds", "From the arrival of a request to its admission.", \.queue)
    add("batch_size", "Sequences of a step.", \.batch)
    add("samples_per_chunk", "Chunks sampled for each generated one; none for models with probabilities.", \.samples)
    return text.lines
  }
}

extension ServingMetrics.ModelState {
  fileprivate mutating func add(_ report: TurnReport) {
    generatedTokens += report.generatedTokens
    sharedPieces += report.sharedPieces
    for size in report.batchSizes { batch.add(Double(size)) }
    for time in report.queueTimes { queue.add(time / .seconds(1)) }
    for count in report.samplesPerChunk { samples.add(Double(count)) }
  }
}

/// Counts of values up to bounds.
private struct Histogram {
  let bounds: [Double]
  private(set) var counts: [Int]
  private(set) var sum = 0.0

  init(bounds: [Double]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
  }

  mutating func add(_ value: Double) {
    counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
    sum += value
  }
}

/// Metrics as text.
private struct MetricsText {
  private(set) var lines = ""

  mutating func add(_ name: String, _ type: String, _ help: String, _ values: [(labels: String, value: Double)]) {
    lines += "# HELP calm_\(name) \(help)\n# TYPE calm_\(name) \(type)\n"
    for (labels, value) in values {
      lines += "calm_\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(Self.number(value))\n"
    }
  }

  mutating func add(_ name: String, _ help: String, _ histograms: [(label: String, values: Histogram)]) {
    lines += "# HELP calm_\(name) \(help)\n# TYPE calm_\(name) histogram\n"
    for (label, histogram) in histograms {
      var total = 0
      for (bound, count) in zip(histogram.bounds.map(Self.number) + ["+Inf"], histogram.counts) {
        total += count
        lines += "calm_\(name)_bucket{\(label),le=\"\(bound)\"} \(total)\n"
      }
      lines += "calm_\(name)_sum{\(label)} \(histogram.sum)\ncalm_\(name)_count{\(label)} \(total)\n"
    }
  }

  static func escaped(_ label: String) -> String {
    label.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
  }

  private static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : "\(value)"
  }
}
