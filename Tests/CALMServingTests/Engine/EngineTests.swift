import CALM
import CALMServing
import Foundation
import Testing

@Suite("Engine")
struct EngineTests {
  private func engine(
    _ limits: EngineLimits = EngineLimits(),
    load: @escaping @Sendable () throws -> ServedModel = {
      try TinyServed.continuous()
    }
  ) throws -> Engine {
    let engine = Engine(limits: limits, load: load)
    _ = try engine.waitUntilLoaded()
    return engine
  }

  /// Waits until the thread has noticed that nothing is left.
  private func waitUntilIdle(_ engine: Engine) async throws {
    while !engine.isIdle { try await Task.sleep(for: .milliseconds(1)) }
  }

  @Test(
    "a request has the same text alone and among 31 others that come and go", .timeLimit(.minutes(10)),
    arguments: TinyServed.Kind.allCases)
  func independence(kind: TinyServed.Kind) async throws {
    let engine = try engine(EngineLimits(sequences: 20)) { try TinyServed.model(kind) }
    let temperatures = kind == .autoregressive ? [1, 0.7, 1.5] : [1, 1, 0.5]
    // Four bytes are a chunk. Prompts that end within one would take the energy head many samples.
    let word = kind == .tokens ? "Adam " : "Ada "
    func request(_ index: Int) throws -> EngineRequest {
      try TinyServed.request(
        String(repeating: word, count: 1 + index * 3 % 17), tokens: 30 + index, temperature: temperatures[index % 3],
        seed: UInt64(index), choices: 1 + index % 2)
    }
    for subject in [1, 2] {
      let alone = try await received(engine.start(request(subject)).pieces)
      let together = try await withThrowingTaskGroup(of: [ReceivedChoice]?.self) { group in
        for index in (0..<32).shuffled() {
          group.addTask {
            let stream = try engine.start(request(index)).pieces
            if index == subject { return try await received(stream) }
            // Every third client leaves after a few pieces.
            var pieces = 0
            for try await _ in stream {
              pieces += 1
              if index % 3 == 0 && pieces == index % 5 + 1 { break }
            }
            return nil
          }
        }
        return try await group.reduce(into: [[ReceivedChoice]]()) { if let choices = $1 { $0.append(choices) } }
      }
      #expect(together == [alone])
    }
    try await waitUntilIdle(engine)
    #expect(engine.status.cacheBytes == 0)
    engine.stop()
  }

  @Test("a stream that nobody reads any more frees its place", .timeLimit(.minutes(10)))
  func cancellation() async throws {
    let engine = try engine(EngineLimits(sequences: 1))
    do {
      let stream = try engine.start(TinyServed.request(tokens: 900)).pieces
      for try await _ in stream { break }
    }
    try await waitUntilIdle(engine)
    #expect(engine.status.cacheBytes == 0)
    // A waiting request whose task is cancelled leaves the queue.
    let long = try engine.start(TinyServed.request(tokens: 900)).pieces
    let waiting = try engine.start(TinyServed.request(tokens: 900)).pieces
    let task = Task { try await received(waiting) }
    task.cancel()
    _ = try await task.value
    _ = try await received(long)
    try await waitUntilIdle(engine)
    engine.stop()
  }

  @Test("a full queue refuses, and takes requests again when there is room", .timeLimit(.minutes(10)))
  func queueFull() async throws {
    let engine = try engine(EngineLimits(sequences: 1, queue: 2))
    let running = try (0..<3).map { _ in try engine.start(TinyServed.request(tokens: 800)) }
    #expect(throws: EngineError.queueFull(waiting: 2)) { try engine.start(TinyServed.request()).pieces }
    #expect(throws: EngineError.tooManyChoices(4, limit: 3)) { try engine.start(TinyServed.request(choices: 4)).pieces }
    for request in running { request.cancel() }
    try await waitUntilIdle(engine)
    // Choices of one request run one after the other if there is no room for all.
    #expect(try await received(engine.start(TinyServed.request(choices: 3)).pieces).map(\.tokens) == [24, 24, 24])
    engine.stop()
  }

  @Test("requests that can never run are refused at once")
  func impossible() throws {
    let engine = try engine(EngineLimits(cacheBytes: 30_000))
    let prompt = try TinyServed.request().prompts[0].count
    #expect(throws: EngineError.tooLong(prompt: prompt, requested: 1_100, limit: 1_024)) {
      try engine.start(TinyServed.request(tokens: 1_100)).pieces
    }
    #expect(throws: EngineError.self) { try engine.start(TinyServed.request(tokens: 500)).pieces }
    #expect(throws: TemperatureError.self) { try engine.start(TinyServed.request(temperature: 1.5)).pieces }
    #expect(engine.isIdle)
    engine.stop()
  }

  @Test("stopping ends all streams with an error, and later requests are refused")
  func stopping() async throws {
    let engine = try engine(EngineLimits(sequences: 1))
    let streams = try (0..<3).map { _ in try engine.start(TinyServed.request(tokens: 900)).pieces }
    engine.close()
    #expect(throws: EngineError.stopped) { try engine.start(TinyServed.request()).pieces }
    engine.stop()
    for stream in streams {
      await #expect(throws: EngineError.stopped) { try await received(stream) }
    }
  }

  @Test("a model that cannot be loaded fails every request with the reason")
  func notLoaded() throws {
    let engine = Engine(limits: EngineLimits()) { throw EngineError.notLoaded("no such folder") }
    #expect(throws: EngineError.self) { try engine.waitUntilLoaded() }
    #expect(throws: EngineError.self) { try engine.start(TinyServed.request()).pieces }
    engine.stop()
  }
}
