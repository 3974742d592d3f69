import CALM

/// Continuous batching: sequences join and leave the running batch between steps.
///
/// It has no thread and no clock of its own: each ``turn(at:)`` admits sequences that wait, reads a piece of prompts
/// and takes a step. A piece of prompts is bounded, so that a long prompt does not delay the running sequences.
/// Sequences are admitted in the order of their arrival, each when its whole cache fits into the memory that is left:
/// an admitted sequence never waits for memory.
package final class Scheduler {
  package typealias Stream = AsyncThrowingStream<EnginePiece, any Error>

  private let model: ServedModel
  private let limits: EngineLimits
  private var waiting: [Job] = []
  private var running: [Job] = []
  /// The bytes reserved for the running sequences.
  package private(set) var reservedBytes = 0
  private let prefixes: PrefixCache
  /// Measurements of the latest turns, taken by ``takeReport()``.
  private var report = TurnReport()

  package init(_ model: ServedModel, limits: EngineLimits) {
    (self.model, self.limits) = (model, limits)
    prefixes = PrefixCache(pieceBytes: type(of: model.batch).pieceSize * model.batch.bytesPerPosition)
  }

  /// The bytes of beginnings of prompts that are kept for others: of what is not reserved, at most a quarter of all.
  package var prefixBytes: Int { prefixes.bytes }
  private var prefixLimit: Int { min(limits.cacheBytes / 4, limits.cacheBytes - reservedBytes) }
  /// The number of sequences that wait.
  package var waitingCount: Int { waiting.count }
  /// The number of sequences that run.
  package var runningCount: Int { running.count }
  /// Whether a turn would do anything.
  package var hasWork: Bool { !waiting.isEmpty || !running.isEmpty }

  /// Adds a request.
  ///
  /// - Parameters:
  ///   - id: unique among the requests.
  ///   - now: the time of its arrival.
  package func add(_ request: EngineRequest, id: Int, at now: ContinuousClock.Instant, _ stream: Stream.Continuation) {
    let shared = SharedRequest(id: id, request: request, arrival: now, stream: stream)
    for choice in 0..<request.choices {
      let prompt = request.prompts[choice / request.options.sequences]
      waiting.append(
        Job(
          request: shared, prompt: prompt, choice: choice,
          bytes: model.facts.cacheBytes(prompt: prompt.count, maximumTokens: request.options.maximumTokens),
          text: ChoiceText(model.facts.tokenizer, stops: request.stops, stopTokens: request.stopTokens)))
    }
  }

  /// Removes a request, whose client is gone.
  package func cancel(_ id: Int) {
    for job in waiting + running where job.request.id == id { job.request.fail(CancellationError()) }
    removeFinished()
  }

  /// Ends all requests with an error.
  package func fail(_ error: any Error) {
    for job in waiting + running { job.request.fail(error) }
    removeFinished()
  }

  /// Admits, reads and takes a step.
  ///
  /// - Parameter now: the time, for deadlines and measurements.
  package func turn(at now: ContinuousClock.Instant) {
    for job in waiting + running {
      if let deadline = job.request.deadline, deadline <= now { job.request.fail(EngineError.timedOut) }
    }
    removeFinished()
    admit(at: now)
    read()
    step()
    removeFinished()
  }

  /// What happened since the last report.
  package func takeReport() -> TurnReport {
    defer { report = TurnReport() }
    return report
  }

  private func admit(at now: ContinuousClock.Instant) {
    while let job = waiting.first, running.count < limits.sequences, reservedBytes + job.bytes <= limits.cacheBytes {
      waiting.removeFirst()
      do {
        // The texts of a prompt are those of a request for it alone.
        let options = job.request.request.options
        job.sequence = try model.batch.sequence(
          prompt: job.prompt, options: options, index: job.choice % options.sequences)
        running.append(job)
        reservedBytes += job.bytes
        report.queueTimes.append(job.request.arrival.duration(to: now))
      } catch {
        job.request.fail(error)
        removeFinished()
      }
    }
    prefixes.shrink(to: prefixLimit)
  }

  /// Reads pieces of prompts, one position or more of each sequence in turn, up to the size of a piece in all. Pieces
  /// that another sequence has read are taken from it.
  private func read() {
    var left = type(of: model.batch).pieceSize
    for job in running {
      guard left > 0 else { break }
      guard let sequence = job.sequence, sequence.isReading else { continue }
      report.sharedPieces += prefixes.fill(sequence)
      left -= model.batch.read(sequence)
      prefixes.add(from: sequence, limit: prefixLimit)
    }
    // The sequences that were not reached come first the next time.
    if let first = running.firstIndex(where: { $0.sequence?.isReading == true }) {
      running = Array(running[first...] + running[..<first])
    }
  }

  private func step() {
    var ready = running.filter { $0.sequence?.isReading == false }
    if ready.isEmpty { return }
    // Of the sequences that may search for a chunk, one at a time: the others wait for one search, not for all.
    let searching = ready.first { $0.sequence?.maySearch == true }
    ready.removeAll { $0 !== searching && $0.sequence?.maySearch == true }
    report.batchSizes.append(ready.count)
    for (job, result) in zip(ready, model.batch.step(ready.compactMap(\.sequence))) {
      // A failure of another choice may have ended the request.
      if job.request.isOver { continue }
      do {
        guard let chunk = try result.get() else { continue }
        // Its next search comes after those of the others.
        if job === searching { moveToEnd(job) }
        let (text, finish) = try job.text.append(chunk)
        report.generatedTokens += chunk.tokens.count
        let samples = job.takeSamples()
        if let samples { report.samplesPerChunk.append(samples) }
        job.isFinished = finish != nil
        job.request.deliver(
          EnginePiece(
            choice: job.choice, text: text, tokens: chunk.tokens.count, samples: samples ?? 0, finish: finish))
      } catch {
        job.request.fail(error)
      }
    }
  }

  private func moveToEnd(_ job: Job) {
    running.removeAll { $0 === job }
    running.append(job)
  }

  private func removeFinished() {
    waiting.removeAll(where: \.isOver)
    for job in running where job.isOver { reservedBytes -= job.bytes }
    running.removeAll(where: \.isOver)
  }
}

/// One choice of a request.
private final class Job {
  let request: SharedRequest
  let prompt: [Int32]
  /// Its index among the choices of the request.
  let choice: Int
  /// The memory reserved for its cache.
  let bytes: Int
  var text: ChoiceText
  /// Nil while it waits.
  var sequence: BatchSequence?
  var isFinished = false
  var isOver: Bool { isFinished || request.isOver }
  /// The samples of the chunks so far.
  private var samples = 0

  init(request: SharedRequest, prompt: [Int32], choice: Int, bytes: Int, text: ChoiceText) {
    (self.request, self.prompt, self.choice, self.bytes, self.text) = (request, prompt, choice, bytes, text)
  }

  /// The samples of the latest chunk; nil for a model with probabilities.
  func takeSamples() -> Int? {
    guard let total = sequence?.samples, total > samples else { return nil }
    defer { samples = total }
    return total - samples
  }
}

/// What the choices of a request share.
private final class SharedRequest {
  let id: Int
  let request: EngineRequest
  let arrival: ContinuousClock.Instant
  /// Whether it has ended, or its client is gone.
  var isOver = false
  private let stream: Scheduler.Stream.Continuation
  private var choicesLeft: Int

  var deadline: ContinuousClock.Instant? { request.deadline }

  init(id: Int, request: EngineRequest, arrival: ContinuousClock.Instant, stream: Scheduler.Stream.Continuation) {
    (self.id, self.request, self.arrival, self.stream) = (id, request, arrival, stream)
    choicesLeft = request.choices
  }

  func deliver(_ piece: EnginePiece) {
    if case .terminated = stream.yield(piece) { isOver = true }
    if piece.finish != nil { choicesLeft -= 1 }
    if choicesLeft == 0, !isOver {
      isOver = true
      stream.finish()
    }
  }

  func fail(_ error: any Error) {
    if isOver { return }
    isOver = true
    stream.finish(throwing: error)
  }
}

/// Measurements of turns.
package struct TurnReport: Sendable {
  /// The number of sequences of each step.
  package var batchSizes: [Int] = []
  /// The time that each admitted sequence waited.
  package var queueTimes: [Duration] = []
  /// The number of tokens that were generated.
  package var generatedTokens = 0
  /// The number of pieces of prompts that another sequence had read.
  package var sharedPieces = 0
  /// The number of samples of each generated chunk; empty for a model with probabilities.
  package var samplesPerChunk: [Int] = []
}
