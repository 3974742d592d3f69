import CALM
import Testing
import Torch

@Suite("Generation with an autoregressive model") struct TokenGeneratorTests {
  private let model = SmallTransformer.model()
  private let prompt: [Int32] = [3, 7, 2]

  private func sequences(_ adjust: (inout GenerationOptions) -> Void) throws -> [GeneratedSequence] {
    var options = GenerationOptions()
    options.continuesText = true
    options.maximumTokens = 12
    adjust(&options)
    let generator = try TokenGenerator(model, prompt: prompt, options: options)
    while try generator.step() != nil {}
    return generator.sequences
  }

  @Test("greedy tokens equal those of a model without a cache")
  func greedy() throws {
    var ids = prompt
    for _ in 0..<12 {
      let logits = withoutGradients {
        let hidden = model.hiddenStates(Tensor(ids.map(Int64.init), shape: [1, ids.count]))
        return model.logits(hidden.selected(1, ids.count - 1))
      }
      ids.append(logits.argmax().elements(as: Int32.self)[0])
    }
    #expect(try sequences { $0.topK = 1 }[0].tokens == Array(ids[3...]))
    #expect(try sequences { $0.topP = 1e-6 }[0].tokens == Array(ids[3...]))
    #expect(try sequences { $0.temperature = 0.01 }[0].tokens == Array(ids[3...]))
  }

  @Test("first tokens follow P^(1/T) among those of top-k and top-p, for any T", arguments: [0.5, 1, 1.7])
  func distribution(temperature: Double) throws {
    let count = 4_000
    let logits = withoutGradients {
      model.logits(model.hiddenStates(Tensor(prompt.map(Int64.init), shape: [1, 3])).selected(1, 2))
    }
    let scaled = softmax(logits / temperature).elements(as: Double.self)
    let order = scaled.indices.sorted { scaled[$0] > scaled[$1] }
    for (kept, adjust): (Int, (inout GenerationOptions) -> Void) in [
      (scaled.count, { _ in }), (3, { $0.topK = 3 }),
      (2, { $0.topP = scaled[order[0]] + scaled[order[1]] / 2 }),
    ] {
      let tokens = try sequences {
        $0.sequences = count
        $0.maximumTokens = 1
        $0.temperature = temperature
        adjust(&$0)
      }.map { Int($0.tokens[0]) }
      let total = order.prefix(kept).reduce(0) { $0 + scaled[$1] }
      for (rank, token) in order.enumerated() {
        let wanted = rank < kept ? scaled[token] / total : 0
        let found = Double(tokens.count { $0 == token }) / Double(count)
        // At most 108 comparisons at five standard errors: one false alarm in about 16,000 seeds; this seed is fixed.
        #expect(abs(found - wanted) <= 5 * (wanted * (1 - wanted) / Double(count)).squareRoot())
      }
    }
  }

  @Test("a sequence does not depend on the number of sequences")
  func independence() throws {
    let one = try sequences { $0.seed = 4 }
    let many = try sequences {
      $0.seed = 4
      $0.sequences = 5
    }
    #expect(one[0].tokens == many[0].tokens)
    #expect(Set(many.map(\.tokens)).count > 1)
  }

  @Test("the end token ends a sequence and is not among its tokens")
  func endToken() throws {
    let model = SmallTransformer.model(vocabulary: 3, special: SpecialTokens(end: 1))
    var options = GenerationOptions()
    (options.sequences, options.maximumTokens) = (20, 30)
    let generator = try TokenGenerator(model, prompt: [], options: options)
    while try generator.step() != nil {}
    #expect(generator.sequences.contains { $0.end == .endOfDocument })
    #expect(generator.sequences.allSatisfy { !$0.tokens.contains(1) })
  }

  @Test("every one of several end tokens ends a sequence and is not among its tokens")
  func endTokens() throws {
    var special = SpecialTokens(end: 1)
    special.furtherEnds = [2, 3]
    let model = SmallTransformer.model(vocabulary: 5, special: special)
    var options = GenerationOptions()
    (options.sequences, options.maximumTokens) = (20, 60)
    let generator = try TokenGenerator(model, prompt: [], options: options)
    while try generator.step() != nil {}
    #expect(generator.sequences.contains { $0.end == .endOfDocument })
    #expect(generator.sequences.allSatisfy { Set($0.tokens).isDisjoint(with: [1, 2, 3]) })
  }

  @Test("the error for an option of a different kind of model names the option")
  func foreignOptions() throws {
    #expect(throws: GenerationError.unsupportedSampler(.exact, supported: [.logits])) {
      try sequences { $0.sampler = .exact }
    }
    #expect(throws: GenerationError.topPOutOfRange(0)) { try sequences { $0.topP = 0 } }
    #expect(throws: GenerationError.self) { try sequences { $0.topK = 0 } }
    let continuous = TinyGenerator.model()
    #expect(throws: GenerationError.noLogits) {
      try ChunkGenerator(continuous, prompt: prompt, options: TinyGenerator.options { $0.topK = 3 })
    }
    #expect(throws: GenerationError.unsupportedSampler(.logits, supported: [.batch, .exact])) {
      try ChunkGenerator(continuous, prompt: prompt, options: TinyGenerator.options { $0.sampler = .logits })
    }
  }

  @Test("a saved and loaded autoregressive model has the same logits", arguments: [false, true])
  func roundTrip(tied: Bool) throws {
    let model = SmallTransformer.model(tied: tied)
    let folder = try TemporaryModel(model) { try $0.save(to: $1, tokenizer: nil) }
    let opened = try ModelFolder(folder.url)
    #expect(opened.kind == .autoregressive)
    let loaded = try opened.loadAutoregressiveModel()
    #expect(loaded.configuration == model.configuration)
    let ids = Tensor(prompt.map(Int64.init), shape: [1, 3])
    #expect(largestDifference(loaded.logits(loaded.hiddenStates(ids)), model.logits(model.hiddenStates(ids))) == 0)
    #expect(throws: ModelError.self) { try opened.loadLanguageModel() }
    #expect(throws: ModelError.self) { try opened.loadAutoencoder() }
  }
}
