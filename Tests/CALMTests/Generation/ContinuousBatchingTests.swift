import CALM
import CALMSupport
import Testing
import Torch

@Suite("Continuous batching")
struct ContinuousBatchingTests {
  /// What a sequence generates, with the bits of its hidden states.
  private struct Trace: Equatable {
    var tokens: [Int32] = []
    var hidden: [[UInt8]] = []
    var end: SequenceEnd?
    var error: GenerationError?
  }

  private struct Request {
    let prompt: [Int32]
    let options: GenerationOptions
    /// The step at which it joins the batch.
    var start = 0
    /// The number of steps after which it leaves, ended or not.
    var patience = Int.max
  }

  /// Runs requests that join and leave, in the order of each step given by a seed.
  private func run(_ model: some BatchModel, _ requests: [Request], seed: UInt64 = 0) throws -> [Trace] {
    var generator = SeededGenerator(seed: seed)
    var traces = requests.map { _ in Trace() }
    var waiting = Array(requests.indices)
    var running: [(index: Int, sequence: BatchSequence, steps: Int)] = []
    var step = 0
    while !waiting.isEmpty || !running.isEmpty {
      for index in waiting where requests[index].start <= step {
        let sequence = try model.sequence(prompt: requests[index].prompt, options: requests[index].options, index: 0)
        running.append((index, sequence, 0))
      }
      waiting.removeAll { requests[$0].start <= step }
      running.shuffle(using: &generator)
      for one in running where one.sequence.isReading { _ = model.read(one.sequence) }
      let ready = running.filter { !$0.sequence.isReading }
      for (one, result) in zip(ready, model.step(ready.map(\.sequence))) {
        switch result {
        case .success(let chunk):
          traces[one.index].tokens += chunk?.tokens ?? []
          traces[one.index].end = chunk?.end
        case .failure(let error): traces[one.index].error = error as? GenerationError
        }
      }
      for place in running.indices { running[place].steps += 1 }
      running.removeAll {
        traces[$0.index].end != nil || traces[$0.index].error != nil || $0.steps >= requests[$0.index].patience
      }
      // Also the numbers from which later chunks are sampled.
      for one in running { traces[one.index].hidden.append(one.sequence.hidden.map(bytes) ?? []) }
      step += 1
    }
    return traces
  }

  private func bytes(_ tensor: Tensor) -> [UInt8] { tensor.withUnsafeBytes { Array($0) } }

  /// 32 requests of different prompts, lengths and options, the first of them the one to compare.
  ///
  /// - Parameter shortest: the length of the prompts that have one position.
  private func requests(
    _ first: GenerationOptions, temperatures: [Double], vocabulary: Int = 12, shortest: Int = 4
  ) -> [Request] {
    var generator = SeededGenerator(seed: 9)
    let others = (1..<32).map { index in
      var options = GenerationOptions(
        temperature: temperatures[index % temperatures.count], candidates: 20, maximumSamples: 100,
        maximumTokens: 4 + generator.uniform(below: 60), seed: UInt64(index))
      if index % 7 == 0 { options.continuesText = true }
      // A prompt of one position is read together with the latest chunks of others.
      let length = 4 + generator.uniform(below: 36)
      return Request(
        prompt: TinyGenerator.prompt(
          index % 5 == 1 ? shortest : length, vocabulary: vocabulary, seed: UInt64(index)),
        options: options, start: generator.uniform(below: 20),
        patience: index % 3 == 0 ? 1 + generator.uniform(below: 10) : .max)
    }
    return [Request(prompt: TinyGenerator.prompt(7, vocabulary: vocabulary), options: first, start: 5)] + others
  }

  /// Compares a request that runs alone with the same among 31 others that come and go.
  private func expectIndependence(
    _ model: some BatchModel, _ options: GenerationOptions, temperatures: [Double], shortest: Int
  ) throws {
    let all = requests(options, temperatures: temperatures, shortest: shortest)
    let alone = try run(model, [all[0]])
    #expect(alone[0].tokens.count > 20)
    for seed in 1...2 as ClosedRange<UInt64> {
      let together = try run(model, all, seed: seed)
      #expect(together[0] == alone[0])
      // The others neither.
      for index in [1, 10, 31] { #expect(try run(model, [all[index]])[0] == together[index]) }
    }
  }

  private static let long = GenerationOptions(candidates: 30, maximumSamples: 500, maximumTokens: 60, seed: 5)

  @Test(
    "a request generates the same bits alone and among 31 others that come and go",
    arguments: [1, 0.5, 0.4], ModelInput.allCases)
  func independence(temperature: Double, input: ModelInput) throws {
    let model = TinyGenerator.model(special: SpecialTokens(padding: 0), hasDocumentEnds: false, input: input)
    var options = Self.long
    options.temperature = temperature
    let all = requests(options, temperatures: [1, 1, 0.5])
    let batch = ContinuousBatch(model)
    let alone = try run(batch, [all[0]])
    #expect(alone[0].tokens.count == 60)
    let together = try run(batch, all, seed: 1)
    #expect(together[0] == alone[0])
    #expect(try run(batch, [all[1]])[0] == together[1])
  }

  @Test("the requests of every head are independent", arguments: HeadKind.allCases, [1, 0.5])
  func heads(head: HeadKind, temperature: Double) throws {
    try expectIndependence(SmallModels.languageModel(keyValueHeads: 2, head: head), temperature: temperature)
  }

  @Test(
    "the requests of a tokens head are independent with every sampler",
    arguments: GenerationOptions.Sampler.allCases)
  func tokensHead(sampler: GenerationOptions.Sampler) throws {
    let model = SmallModels.languageModel(keyValueHeads: 2, head: .tokens)
    try expectIndependence(model, temperature: 0.5) {
      $0.sampler = sampler
      if sampler == .logits { $0.topP = 0.8 }
      // So that three tokens are likely enough to agree.
      if sampler == .exact { ($0.temperature, $0.maximumSamples) = (0.9, 100_000) }
    }
  }

  @Test(
    "the requests of a distilled model are independent", arguments: [HeadKind.flow, .posterior, .tokens], [1, 0.5])
  func distilled(head: HeadKind, temperature: Double) throws {
    let model = SmallModels.languageModel(keyValueHeads: 2, head: head, isOneStep: true)
    try expectIndependence(model, temperature: temperature)
  }

  private func expectIndependence(
    _ model: ContinuousLanguageModel, temperature: Double,
    adjusting adjust: (inout GenerationOptions) -> Void = { _ in }
  ) throws {
    let batch = ContinuousBatch(model)
    var options = Self.long
    (options.temperature, options.candidates) = (temperature, 8)
    adjust(&options)
    var requests = Array(requests(options, temperatures: [1]).prefix(12))
    requests[0].start = 3
    let alone = try run(batch, [requests[0]])[0]
    #expect(alone.tokens.count > 20)
    #expect(try run(batch, requests, seed: 1)[0] == alone)
  }

  @Test("the requests of a model in bfloat16 and with the exact sampler are independent")
  func bfloat16() throws {
    let model = TinyGenerator.model(vocabulary: 6, special: SpecialTokens(padding: 0), latentDeviation: 0.2)
    model.convert(to: .bfloat16)
    model.knownAutoencoder.convert(to: .bfloat16)
    var options = Self.long
    (options.temperature, options.sampler, options.maximumSamples) = (0.5, .exact, 1_000_000)
    let all = requests(options, temperatures: [1, 0.5], vocabulary: 6)
    let batch = ContinuousBatch(model)
    #expect(try run(batch, all, seed: 1)[0] == run(batch, [all[0]])[0])
  }

  @Test(
    "the requests of an autoregressive model are independent, with the fused layer and without",
    arguments: [true, false])
  func autoregressive(isFused: Bool) throws {
    var shape = TransformerShape(hiddenSize: 32, layers: 2, attentionHeads: 4, keyValueHeads: 2)
    (shape.hasAttentionBias, shape.hasMLPBias) = (!isFused, !isFused)
    let model = AutoregressiveModel(
      AutoregressiveConfiguration(vocabularySize: 12, transformer: shape, special: SpecialTokens(padding: 0)),
      generator: Generator(seed: 3))
    var options = Self.long
    (options.temperature, options.topK) = (1.3, 9)
    try expectIndependence(AutoregressiveBatch(model), options, temperatures: [1, 0.7, 2], shortest: 1)
  }

  @Test("a prompt of several pieces gives the tokens of a prompt that is read at once", arguments: [true, false])
  func pieces(documentMasking: Bool) throws {
    var shape = TransformerShape(hiddenSize: 32, layers: 2, attentionHeads: 4, keyValueHeads: 2)
    shape.documentMasking = documentMasking
    let model = AutoregressiveModel(
      AutoregressiveConfiguration(vocabularySize: 12, transformer: shape, special: TinyGenerator.special),
      generator: Generator(seed: 3))
    // Documents end at the end token, 1.
    var prompt = TinyGenerator.prompt(200)
    for place in [50, 70, 130] { prompt[place] = 1 }
    let options = GenerationOptions(maximumTokens: 60, seed: 5)
    let generator = try TokenGenerator(model, prompt: prompt, options: options)
    while try generator.step() != nil {}
    let trace = try run(AutoregressiveBatch(model), [Request(prompt: prompt, options: options)])[0]
    #expect(trace.tokens == generator.sequences[0].tokens)
    // 200 positions and an end token are three pieces of 64 and one of 9, each before a step.
    #expect(trace.hidden.prefix(4).map { $0.isEmpty } == [true, true, true, false])
  }

  @Test("tokens equal those of the generator for one prompt", arguments: [1, 0.5])
  func generator(temperature: Double) throws {
    let model = TinyGenerator.model()
    let options = GenerationOptions(temperature: temperature, candidates: 30, maximumTokens: 60, seed: 5)
    for count in 0...9 {
      let generator = try ChunkGenerator(model, prompt: TinyGenerator.prompt(count), options: options)
      while try generator.step() != nil {}
      let request = Request(prompt: TinyGenerator.prompt(count), options: options)
      let trace = try run(ContinuousBatch(model), [request])[0]
      #expect(trace.tokens == generator.sequences[0].tokens)
      #expect(trace.end == generator.sequences[0].end)
    }
  }

  @Test(
    "a chunk that needs many samples takes steps of a bounded number, with the result of the generator",
    arguments: [1, 0.5, 0.4], [GenerationOptions.Sampler.batch, .exact])
  func searches(temperature: Double, sampler: GenerationOptions.Sampler) throws {
    let model = TinyGenerator.model(vocabulary: 6, special: SpecialTokens(padding: 0), latentDeviation: 0.2)
    let options = GenerationOptions(
      temperature: temperature, sampler: sampler, candidates: 16, maximumSamples: 4_000, maximumTokens: 12, seed: 5)
    let prompt = TinyGenerator.prompt(11, vocabulary: 6)
    let generator = try ChunkGenerator(model, prompt: prompt, options: options)
    while try generator.step() != nil {}
    let batch = ContinuousBatch(model)
    let sequence = try batch.sequence(prompt: prompt, options: options, index: 0)
    while batch.read(sequence) > 0 {}
    var (chunks, steps) = (0, 0)
    while sequence.generated.end == nil {
      let before = sequence.samples
      if try batch.step([sequence])[0].get() != nil { chunks += 1 }
      steps += 1
      #expect(sequence.samples - before <= 16)
    }
    #expect(sequence.generated.tokens == generator.sequences[0].tokens)
    #expect(chunks == 4)
    #expect(steps > chunks)
  }

  @Test("a sequence whose numbers are not finite ends with an error, and the others do not change")
  func notFinite() throws {
    let model = TinyGenerator.model(vocabulary: 600, special: SpecialTokens(padding: 0), latentDeviation: 2)
    let damaged = 599
    withoutGradients { model.backbone.embedding.weight.selected(0, damaged).fill(.nan) }
    let options = GenerationOptions(maximumTokens: 40, seed: 5)
    let sound = (0..<6).map {
      Request(prompt: TinyGenerator.prompt(8, vocabulary: 500, seed: UInt64($0)), options: options)
    }
    let batch = ContinuousBatch(model)
    let expected = try run(batch, sound)
    #expect(expected.contains { $0.error == nil })
    for temperature in [1, 0.5] {
      var options = options
      options.temperature = temperature
      let bad = Request(prompt: [3, 4, 5, Int32(damaged)], options: options)
      let traces = try run(batch, sound + [bad], seed: 1)
      #expect(Array(traces.dropLast()) == expected)
      #expect(traces.last?.error == .notFinite)
      #expect(traces.last?.tokens == [])
    }
  }

  @Test(
    "numbers of a head of tokens that are not finite end their sequence alone", arguments: [1, 0.5],
    [GenerationOptions.Sampler.logits, .batch])
  func tokensNotFinite(temperature: Double, sampler: GenerationOptions.Sampler) throws {
    let model = SmallModels.languageModel(head: .tokens)
    let damaged = SmallModels.vocabularySize - 1
    withoutGradients {
      // A chunk of this token overflows. As the next token it is impossible: the vectors of all logits are positive.
      model.backbone.embedding.weight.selected(0, damaged).fill(-3e38)
      (model.head as? TokensHead)?.prior.bias?.fill(10)
    }
    let options = GenerationOptions(
      temperature: temperature, sampler: sampler, candidates: 8, maximumTokens: 9, seed: 5)
    let sound = (0..<5).map {
      Request(prompt: TinyGenerator.prompt(9, vocabulary: damaged, seed: UInt64($0)), options: options)
    }
    let batch = ContinuousBatch(model)
    let expected = try run(batch, sound)
    #expect(expected.allSatisfy { $0.error == nil && $0.tokens.count == 9 })
    let bad = Request(prompt: [3, 4, 5] + Array(repeating: Int32(damaged), count: 3), options: options)
    let traces = try run(batch, sound + [bad], seed: 1)
    #expect(Array(traces.dropLast()) == expected)
    #expect(traces.last?.error == .notFinite)
  }

  @Test("a sequence holds no more positions than its prompt and tokens need")
  func positions() throws {
    let batch = ContinuousBatch(TinyGenerator.model(special: SpecialTokens(padding: 0)))
    // Two chunks and a token; nine tokens with that one are three chunks, of which the last is not read.
    let options = GenerationOptions(maximumTokens: 8)
    let sequence = try batch.sequence(prompt: TinyGenerator.prompt(9), options: options, index: 0)
    #expect(sequence.maximumPositions == 4)
    #expect(batch.bytesPerPosition == 2 * 2 * 16 * 4)
    while batch.read(sequence) > 0 {}
    while sequence.generated.end == nil { _ = batch.step([sequence]) }
    #expect(sequence.generated.tokens.count == 8)
  }
}
