import CALM
import Foundation
import Torch

/// A model that generates for many requests at once, on a thread of its own.
///
/// ```swift
/// let engine = Engine(limits: EngineLimits()) { try ServedModel(folder, device: .cpu, as: .float32) }
/// for try await piece in try engine.start(request).pieces { print(piece.text, terminator: "") }
/// ```
///
/// The thread loads the model and owns it, since libtorch keeps state per thread. Each request's text is the same
/// whatever else the engine generates: see ``BatchModel``. If a stream is released or its task cancelled, its place is
/// free after the step in progress.
///
/// `@unchecked`: `condition` protects all state but the thread's own.
package final class Engine: @unchecked Sendable {
  /// How far an engine is.
  package enum State: Sendable {
    case loading
    case ready(ModelFacts)
    case failed(String)
  }

  /// The numbers that metrics show.
  package struct Status: Sendable {
    package var running = 0
    package var waiting = 0
    package var cacheBytes = 0
    package var prefixBytes = 0
  }

  private enum Command {
    case add(EngineRequest, id: Int, arrival: ContinuousClock.Instant, Scheduler.Stream.Continuation)
    case cancel(Int)
  }

  /// Its limits.
  package let limits: EngineLimits
  private let report: @Sendable (TurnReport) -> Void
  private let condition = NSCondition()
  private var commands: [Command] = []
  private var loaded = State.loading
  private var latest = Status()
  private var lastID = 0
  /// The sequences of requests that have not ended, as far as the thread has noticed.
  private var sequences = 0
  private var acceptsRequests = true
  private var isStopping = false
  private var hasEnded = false

  /// Starts the thread, which first loads the model.
  ///
  /// - Parameters:
  ///   - report: receives the measurements of each turn, on the thread.
  ///   - load: loads the model, on the thread.
  package init(
    limits: EngineLimits, report: @escaping @Sendable (TurnReport) -> Void = { _ in },
    load: @escaping @Sendable () throws -> ServedModel
  ) {
    (self.limits, self.report) = (limits, report)
    let thread = Thread {
      Runtime.flushDenormals()
      self.run(load)
    }
    thread.name = "Engine"
    // The default of secondary threads on macOS, 512 KB, is less than libtorch may need.
    thread.stackSize = 8 << 20
    thread.start()
  }

  /// How far it is.
  package var state: State { condition.withLock { loaded } }

  /// The current numbers.
  package var status: Status { condition.withLock { latest } }

  /// Whether requests that were accepted have not ended.
  package var isIdle: Bool { condition.withLock { sequences == 0 && commands.isEmpty } }

  /// Whether it refuses requests because it is shutting down.
  package var isClosed: Bool { condition.withLock { !acceptsRequests } }

  /// The facts about the model.
  ///
  /// - Throws: ``EngineError/loading``, ``EngineError/notLoaded(_:)``.
  package func facts() throws(EngineError) -> ModelFacts {
    condition.lock()
    defer { condition.unlock() }
    return try loadedFacts()
  }

  /// Waits until the model is loaded.
  ///
  /// - Throws: ``EngineError/notLoaded(_:)``.
  package func waitUntilLoaded() throws(EngineError) -> ModelFacts {
    condition.lock()
    defer { condition.unlock() }
    while case .loading = loaded { condition.wait() }
    return try loadedFacts()
  }

  /// A request that runs or waits.
  package struct Running: Sendable {
    /// The pieces of all its choices as they are generated. Every choice has a last piece with its
    /// ``EnginePiece/finish``, unless the stream throws: ``EngineError``, ``GenerationError``, ``TemperatureError``,
    /// or `CancellationError` after ``cancel``.
    package let pieces: Scheduler.Stream
    /// Ends it; without effect if it has ended.
    package let cancel: @Sendable () -> Void
  }

  /// Queues a request.
  ///
  /// - Throws: ``EngineError`` if the request can never run or the queue is full, and the errors of
  ///   ``GenerationOptions``.
  package func start(_ request: EngineRequest) throws -> Running {
    let (stream, continuation) = Scheduler.Stream.makeStream()
    let id = try condition.withLock {
      try check(request)
      lastID += 1
      sequences += request.choices
      commands.append(.add(request, id: lastID, arrival: .now, continuation))
      condition.broadcast()
      return lastID
    }
    continuation.onTermination = { [weak self] termination in
      if case .cancelled = termination { self?.send(.cancel(id)) }
    }
    return Running(pieces: stream) { [weak self] in self?.send(.cancel(id)) }
  }

  /// Refuses further requests.
  package func close() {
    condition.withLock { acceptsRequests = false }
  }

  /// Ends all requests with ``EngineError/stopped``, and the thread.
  package func stop() {
    condition.withLock {
      (acceptsRequests, isStopping) = (false, true)
      condition.broadcast()
      while !hasEnded { condition.wait() }
    }
  }

  private func loadedFacts() throws(EngineError) -> ModelFacts {
    switch loaded {
    case .loading: throw .loading
    case .failed(let reason): throw .notLoaded(reason)
    case .ready(let facts): return facts
    }
  }

  private func check(_ request: EngineRequest) throws {
    let facts = try loadedFacts()
    guard acceptsRequests else { throw EngineError.stopped }
    let options = request.options
    try options.chosenSampler(among: facts.samplers)
    // Not all of them need to run at once.
    guard request.choices <= limits.sequences + limits.queue else {
      throw EngineError.tooManyChoices(request.choices, limit: limits.sequences + limits.queue)
    }
    let longest = request.prompts.map(\.count).max() ?? 0
    guard longest + 1 <= facts.maximumTokens, options.maximumTokens <= facts.maximumTokens - longest else {
      throw EngineError.tooLong(prompt: longest, requested: options.maximumTokens, limit: facts.maximumTokens)
    }
    let bytes = facts.cacheBytes(prompt: longest, maximumTokens: options.maximumTokens)
    guard bytes <= limits.cacheBytes else { throw EngineError.tooLarge(bytes: bytes, limit: limits.cacheBytes) }
    guard sequences + request.choices <= limits.sequences + limits.queue else {
      throw EngineError.queueFull(waiting: max(0, sequences - limits.sequences))
    }
  }

  private func send(_ command: Command) {
    condition.withLock {
      commands.append(command)
      condition.broadcast()
    }
  }

  // MARK: The thread

  private func run(_ load: () throws -> ServedModel) {
    do {
      let model = try load()
      condition.withLock {
        loaded = .ready(model.facts)
        condition.broadcast()
      }
      work(Scheduler(model, limits: limits))
    } catch {
      condition.withLock {
        loaded = .failed("\(error)")
        condition.broadcast()
      }
    }
    condition.withLock {
      hasEnded = true
      condition.broadcast()
    }
  }

  private func work(_ scheduler: Scheduler) {
    while true {
      let (new, isOver) = condition.withLock {
        publish(scheduler)
        while commands.isEmpty && !scheduler.hasWork && !isStopping { condition.wait() }
        defer { commands = [] }
        return (commands, isStopping)
      }
      for command in new {
        switch command {
        case .add(let request, let id, let arrival, let stream):
          scheduler.add(request, id: id, at: arrival, stream)
        case .cancel(let id): scheduler.cancel(id)
        }
      }
      if isOver {
        scheduler.fail(EngineError.stopped)
        condition.withLock { publish(scheduler) }
        return
      }
      scheduler.turn(at: .now)
      report(scheduler.takeReport())
    }
  }

  /// Updates what other threads see, while `condition` is locked.
  private func publish(_ scheduler: Scheduler) {
    let added = commands.reduce(0) {
      if case .add(let request, _, _, _) = $1 { $0 + request.choices } else { $0 }
    }
    sequences = scheduler.waitingCount + scheduler.runningCount + added
    latest = Status(
      running: scheduler.runningCount, waiting: scheduler.waitingCount + added,
      cacheBytes: scheduler.reservedBytes, prefixBytes: scheduler.prefixBytes)
  }
}
