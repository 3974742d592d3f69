import CALM
import CALMServing
import Testing

/// Scheduling without threads and clocks: turns are taken one by one.
@Suite("Scheduler")
struct SchedulerTests {
  private let start = ContinuousClock.now
  private let model: ServedModel

  init() throws {
    model = try TinyServed.continuous()
  }

  /// The bytes of a request of the default prompt and length.
  private func cost() throws -> Int {
    let request = try TinyServed.request()
    return model.facts.cacheBytes(prompt: request.prompts[0].count, maximumTokens: request.options.maximumTokens)
  }

  private func add(_ request: EngineRequest, id: Int, to scheduler: Scheduler) -> Scheduler.Stream {
    let (stream, continuation) = Scheduler.Stream.makeStream()
    scheduler.add(request, id: id, at: start, continuation)
    return stream
  }

  private func run(_ scheduler: Scheduler) {
    while scheduler.hasWork { scheduler.turn(at: start) }
  }

  @Test("at most the maximum number of sequences run, in the order of their arrival")
  func order() async throws {
    let scheduler = Scheduler(model, limits: EngineLimits(sequences: 2))
    let streams = try (0..<5).map { try add(TinyServed.request(seed: UInt64($0)), id: $0, to: scheduler) }
    var running: [[Int]] = []
    while scheduler.hasWork {
      scheduler.turn(at: start)
      running.append([scheduler.runningCount, scheduler.waitingCount])
    }
    // Six chunks each; a pair ends in its last turn.
    let pair = [Array(repeating: [2, 3], count: 5), [[0, 3]], Array(repeating: [2, 1], count: 5), [[0, 1]]].flatMap {
      $0
    }
    #expect(running == pair + Array(repeating: [1, 0], count: 5) + [[0, 0]])
    for stream in streams {
      let choices = try await received(stream)
      #expect(choices.map(\.tokens) == [24])
      #expect(choices.map(\.finish) == [.length])
    }
  }

  @Test("reserved memory stays within its limit, and all of it is free in the end")
  func memory() throws {
    let bytes = try cost()
    let scheduler = Scheduler(model, limits: EngineLimits(sequences: 64, cacheBytes: 3 * bytes + bytes / 2))
    let streams = try (0..<10).map { try add(TinyServed.request(seed: UInt64($0)), id: $0, to: scheduler) }
    var most = 0
    while scheduler.hasWork {
      scheduler.turn(at: start)
      most = max(most, scheduler.reservedBytes)
      #expect(scheduler.reservedBytes == scheduler.runningCount * bytes)
    }
    #expect(most == 3 * bytes)
    #expect(scheduler.reservedBytes == 0)
    withExtendedLifetime(streams) {}
  }

  @Test("a large request at the head of the queue is not overtaken, and runs when its memory is free")
  func headOfLine() async throws {
    let bytes = try cost()
    let scheduler = Scheduler(model, limits: EngineLimits(sequences: 64, cacheBytes: 4 * bytes))
    let first = try add(TinyServed.request(), id: 0, to: scheduler)
    let large = try add(TinyServed.request(tokens: 120), id: 1, to: scheduler)
    let last = try add(TinyServed.request(), id: 2, to: scheduler)
    scheduler.turn(at: start)
    #expect(scheduler.runningCount == 1)
    run(scheduler)
    #expect(try await received(large).map(\.tokens) == [120])
    #expect(try await received(last) == received(first))
  }

  @Test("a cancelled request leaves at once, running or waiting")
  func cancellation() async throws {
    let scheduler = Scheduler(model, limits: EngineLimits(sequences: 2))
    let streams = try (0..<4).map { try add(TinyServed.request(seed: UInt64($0)), id: $0, to: scheduler) }
    scheduler.turn(at: start)
    scheduler.cancel(0)
    scheduler.cancel(3)
    #expect(scheduler.runningCount == 1)
    #expect(scheduler.waitingCount == 1)
    scheduler.turn(at: start)
    #expect(scheduler.runningCount == 2)
    run(scheduler)
    let alone = Scheduler(model, limits: EngineLimits())
    for index in [1, 2] {
      let expected = try add(TinyServed.request(seed: UInt64(index)), id: 0, to: alone)
      run(alone)
      #expect(try await received(streams[index]) == received(expected))
    }
  }

  @Test("a request past its deadline fails, waiting or running, and frees its memory")
  func deadline() async throws {
    let scheduler = Scheduler(model, limits: EngineLimits(sequences: 1))
    var request = try TinyServed.request()
    request.deadline = start + .seconds(10)
    let streams = (0..<2).map { add(request, id: $0, to: scheduler) }
    scheduler.turn(at: start)
    scheduler.turn(at: start + .seconds(10))
    #expect(!scheduler.hasWork)
    #expect(scheduler.reservedBytes == 0)
    for stream in streams {
      await #expect(throws: EngineError.timedOut) { try await received(stream) }
    }
  }

  @Test("while a long prompt is read piece by piece, running sequences take a step each turn")
  func longPrompt() async throws {
    let scheduler = Scheduler(model, limits: EngineLimits())
    let short = try add(TinyServed.request(tokens: 40), id: 0, to: scheduler)
    scheduler.turn(at: start)
    // 800 bytes are 200 chunks, four pieces of at most 64.
    let long = try add(TinyServed.request(String(repeating: "abcd", count: 200), tokens: 8), id: 1, to: scheduler)
    var sizes: [Int] = []
    _ = scheduler.takeReport()
    while scheduler.hasWork {
      scheduler.turn(at: start)
      sizes += scheduler.takeReport().batchSizes
    }
    #expect(sizes == [1, 1, 1, 2, 2, 1, 1, 1, 1])
    #expect(try await received(short).map(\.tokens) == [40])
    #expect(try await received(long).map(\.tokens) == [8])
  }

  @Test("prompts with an equal beginning read it once, with the same texts")
  func prefixes() async throws {
    let beginning = String(repeating: "Ada went to the sea. ", count: 38)
    // 798 bytes and an ending are 200 chunks or more: three whole pieces of 64, and the rest.
    let requests = try ["on", "on", "by and by", "in"].enumerated().map { index, end in
      try TinyServed.request(beginning + end, tokens: 40, seed: UInt64(index), choices: 1 + index % 2)
    }
    var alone: [[ReceivedChoice]] = []
    for request in requests {
      let scheduler = Scheduler(model, limits: EngineLimits())
      var single = request
      single.options.sequences = 1
      let stream = add(single, id: 0, to: scheduler)
      run(scheduler)
      #expect(scheduler.takeReport().sharedPieces == 0)
      alone.append(try await received(stream))
    }
    let scheduler = Scheduler(model, limits: EngineLimits())
    for (index, request) in requests.enumerated() {
      let stream = add(request, id: index, to: scheduler)
      run(scheduler)
      // Choices share pieces, too.
      #expect(scheduler.takeReport().sharedPieces == 3 * (request.choices - (index == 0 ? 1 : 0)))
      #expect(try await received(stream)[0] == alone[index][0])
    }
    #expect(scheduler.prefixBytes == 3 * 64 * model.batch.bytesPerPosition)
  }

  @Test("beginnings of prompts give way to running sequences")
  func prefixMemory() async throws {
    func request(_ letter: String) throws -> EngineRequest {
      try TinyServed.request(String(repeating: letter, count: 800), tokens: 8)
    }
    let bytes = model.facts.cacheBytes(prompt: 800, maximumTokens: 8)
    let scheduler = Scheduler(model, limits: EngineLimits(cacheBytes: 2 * bytes + bytes / 2))
    let streams = try ["a", "b", "c", "a"].enumerated().map { try add(request($1), id: $0, to: scheduler) }
    var most = 0
    while scheduler.hasWork {
      scheduler.turn(at: start)
      most = max(most, scheduler.prefixBytes)
      #expect(scheduler.prefixBytes + scheduler.reservedBytes <= 2 * bytes + bytes / 2)
      #expect(scheduler.prefixBytes <= (2 * bytes + bytes / 2) / 4)
    }
    #expect(most > 0)
    #expect(try await received(streams[3]) == received(streams[0]))
  }

  @Test("while sequences search for a chunk, one after the other, the others take a step each turn")
  func searches() async throws {
    let scheduler = Scheduler(model, limits: EngineLimits())
    // Five bytes are a chunk and a token, with which the first chunk begins. That is rare, so all samples are needed:
    // ten steps of twenty.
    var request = try TinyServed.request("Ada w", tokens: 3)
    request.options.maximumSamples = 200
    let searching = (0..<3).map { add(request, id: $0, to: scheduler) }
    let simple = try add(TinyServed.request(tokens: 20), id: 3, to: scheduler)
    var sizes: [Int] = []
    while scheduler.hasWork {
      scheduler.turn(at: start)
      sizes += scheduler.takeReport().batchSizes
    }
    #expect(sizes == Array(repeating: 2, count: 5) + Array(repeating: 1, count: 25))
    for stream in searching { #expect(try await received(stream).map(\.tokens) == [3]) }
    #expect(try await received(simple).map(\.tokens) == [20])
  }

  @Test("a model that samples token by token completes the chunks of several prompts in one step", arguments: [1, 0.5])
  func completions(temperature: Double) async throws {
    let scheduler = Scheduler(try TinyServed.tokens(), limits: EngineLimits())
    var request = try TinyServed.request("Ada w", tokens: 3, temperature: temperature)
    request.options.sampler = .batch
    let streams = (0..<3).map { add(request, id: $0, to: scheduler) }
    scheduler.turn(at: start)
    let report = scheduler.takeReport()
    #expect(report.batchSizes == [3])
    let samples = temperature == 1 ? 1...1 : 2...20
    #expect(report.samplesPerChunk.count == 3 && report.samplesPerChunk.allSatisfy(samples.contains))
    for stream in streams { #expect(try await received(stream).map(\.tokens) == [3]) }
  }

  @Test("a request with a number that is not finite ends alone, with all its choices")
  func notFinite() async throws {
    let scheduler = Scheduler(
      try TinyServed.continuous(damaged: Int(TinyServed.tokenizer().encode("~")[0])), limits: EngineLimits())
    let sound = try add(TinyServed.request(tokens: 12), id: 0, to: scheduler)
    let damaged = try add(TinyServed.request("abc~~~~~", choices: 3), id: 1, to: scheduler)
    run(scheduler)
    #expect(scheduler.reservedBytes == 0)
    await #expect(throws: GenerationError.notFinite) { try await received(damaged) }
    #expect(try await received(sound).map(\.tokens) == [12])
  }

  @Test("the choices of several prompts equal those of a request for each, with the samples of their chunks")
  func prompts() async throws {
    let scheduler = Scheduler(model, limits: EngineLimits())
    let texts = ["Ada went", "Robin", "Ada went"]
    var request = try TinyServed.request(temperature: 0.5, choices: 2)
    request.options.maximumSamples = 200
    request.prompts = try texts.map { try TinyServed.tokenizer().encode($0) }
    let stream = add(request, id: 0, to: scheduler)
    var samples: [Int] = []
    while scheduler.hasWork {
      scheduler.turn(at: start)
      samples += scheduler.takeReport().samplesPerChunk
    }
    // 24 tokens are six chunks of 20 candidates each. The last letter of "Robin" begins a seventh, which takes all
    // samples.
    #expect(samples.count == 3 * 2 * 6 + 2)
    #expect(samples.filter { $0 == 20 }.count == 36)
    #expect(samples.filter { $0 == 200 }.count == 2)
    let choices = try await received(stream)
    #expect(choices.count == 6)
    for (index, text) in texts.enumerated() {
      request.prompts = [try TinyServed.tokenizer().encode(text)]
      let alone = add(request, id: 1, to: scheduler)
      run(scheduler)
      #expect(try await received(alone) == Array(choices[2 * index..<2 * index + 2]))
    }
  }

  @Test("a stop token ends a choice, and the text before it is complete")
  func stopTokens() async throws {
    let scheduler = Scheduler(model, limits: EngineLimits())
    var request = try TinyServed.request("Ada went", tokens: 24)
    let sequence = try model.batch.sequence(prompt: request.prompts[0], options: request.options, index: 0)
    while model.batch.read(sequence) > 0 {}
    while sequence.generated.end == nil { _ = try model.batch.step([sequence])[0].get() }
    let tokens = sequence.generated.tokens
    request.stopTokens = [tokens[10]]
    // A stop string whose beginning is held back until the end.
    request.stops = [
      try model.facts.tokenizer.decode(Array(tokens.prefix { $0 != tokens[10] }.suffix(1))) + "\u{1}\u{2}"
    ]
    let stream = add(request, id: 0, to: scheduler)
    run(scheduler)
    let choice = try await received(stream)[0]
    #expect(choice.finish == .stop)
    #expect(choice.text == (try model.facts.tokenizer.decode(tokens.prefix { $0 != tokens[10] })))
    #expect(scheduler.reservedBytes == 0)
  }

  @Test("choices differ, and equal those of calm generate for the same seed")
  func choices() async throws {
    let scheduler = Scheduler(model, limits: EngineLimits())
    let request = try TinyServed.request(choices: 3)
    let stream = add(request, id: 0, to: scheduler)
    run(scheduler)
    let choices = try await received(stream)
    #expect(Set(choices.map(\.text)).count == 3)
    for index in 0..<3 {
      let sequence = try model.batch.sequence(prompt: request.prompts[0], options: request.options, index: index)
      while model.batch.read(sequence) > 0 {}
      while sequence.generated.end == nil { _ = try model.batch.step([sequence])[0].get() }
      #expect(try model.facts.tokenizer.decode(sequence.generated.tokens, skipSpecial: true) == choices[index].text)
    }
  }
}
