import CALM
import Testing
import Torch

@Suite("Several sequences, seeds and ends")
struct SequenceTests {
  private let model = TinyGenerator.model()

  @Test("a sequence does not depend on the other sequences", arguments: [1, 0.5])
  func independence(temperature: Double) throws {
    func run(_ sequences: Int) throws -> [GeneratedSequence] {
      let options = try TinyGenerator.options(temperature: temperature) {
        $0.sequences = sequences
        $0.maximumTokens = 50
        $0.candidates = 30
      }
      return try ChunkGenerator(model, prompt: TinyGenerator.prompt(6), options: options).run()
    }
    let many = try run(8)
    #expect(try run(1)[0] == many[0])
    #expect(try run(3) == Array(many[..<3]))
    // Some end earlier than others, which continue.
    #expect(Set(many.map(\.chunks)).count > 1)
    #expect(Set(many.map(\.tokens)).count > 1)
  }

  @Test("sequences that need several passes of the head equal those of one pass")
  func manyPools() throws {
    func run(_ sequences: Int) throws -> [GeneratedSequence] {
      let options = try TinyGenerator.options(temperature: 0.5) {
        $0.sequences = sequences
        $0.maximumTokens = 12
        $0.candidates = 1_500
      }
      return try ChunkGenerator(model, prompt: TinyGenerator.prompt(4), options: options).run()
    }
    #expect(try run(5)[..<2] == run(2)[...])
  }

  @Test(
    "the same seed gives the same sequences, another seed different ones",
    arguments: [GenerationOptions.Sampler.batch, .exact]
  )
  func seeds(sampler: GenerationOptions.Sampler) throws {
    func run(_ seed: UInt64) throws -> [GeneratedSequence] {
      let options = try TinyGenerator.options(temperature: 0.5, seed: seed) {
        $0.sampler = sampler
        $0.sequences = 4
        $0.maximumTokens = 40
        $0.candidates = 50
        $0.maximumSamples = 1_000_000
      }
      return try ChunkGenerator(model, prompt: TinyGenerator.prompt(5), options: options).run()
    }
    #expect(try run(1) == run(1))
    #expect(try run(1) != run(2))
  }

  @Test("a sequence stops at the end token and contains no token after it")
  func nothingAfterEnd() throws {
    let options = try TinyGenerator.options {
      $0.sequences = 200
      $0.maximumTokens = 400
    }
    let generator = try ChunkGenerator(model, prompt: [], options: options)
    var ended: Set<Int> = []
    while let chunks = try generator.step() {
      #expect(ended.isDisjoint(with: chunks.map(\.sequence)))
      for chunk in chunks {
        #expect(!chunk.tokens.contains(1))
        #expect(chunk.end == .endOfDocument ? chunk.tokens.count < 4 : true)
        if chunk.end != nil { ended.insert(chunk.sequence) }
      }
    }
    #expect(try generator.step() == nil)
    #expect(ended.count == 200)
    let lengths = generator.sequences.filter { $0.end == .endOfDocument }.map { $0.tokens.count % 4 }
    #expect(Set(lengths) == [0, 1, 2, 3])
  }

  @Test("the tokens before the end token equal those of a model without an end token")
  func cutsAtEnd() throws {
    // The same network without an end token generates the tokens that were cut off.
    let options = try TinyGenerator.options {
      $0.sequences = 50
      $0.maximumTokens = 4
    }
    let prompt = TinyGenerator.prompt(4)
    let whole = try ChunkGenerator(
      TinyGenerator.model(special: SpecialTokens(padding: 0), hasDocumentEnds: false), prompt: prompt,
      options: options
    ).run()
    let cut = try ChunkGenerator(
      TinyGenerator.model(hasDocumentEnds: false), prompt: prompt, options: options
    ).run()
    for (whole, cut) in zip(whole, cut) {
      #expect(cut.tokens == Array(whole.tokens.prefix { $0 != 1 }))
      #expect(cut.end == (whole.tokens.contains(1) ? .endOfDocument : .maximumTokens))
    }
    #expect(Set(cut.map(\.end)).count == 2)
  }

  @Test("the maximum number of new tokens is exact, even inside a chunk", arguments: [1, 3, 4, 5, 9])
  func maximum(tokens: Int) throws {
    let model = TinyGenerator.model(special: SpecialTokens(padding: 0))
    for promptLength in 4...7 {
      let prompt = TinyGenerator.prompt(promptLength)
      func run(_ maximum: Int) throws -> GeneratedSequence {
        let options = try TinyGenerator.options { $0.maximumTokens = maximum }
        return try ChunkGenerator(model, prompt: prompt, options: options).run()[0]
      }
      let generated = try run(tokens)
      #expect(generated.tokens.count == tokens)
      #expect(generated.end == .maximumTokens)
      #expect(generated.chunks == (promptLength % 4 + tokens + 3) / 4)
      #expect(try run(30).tokens.starts(with: generated.tokens))
    }
  }

  @Test("a model in bfloat16 generates in bfloat16")
  func bfloat16() throws {
    let model = TinyGenerator.model()
    model.convert(to: .bfloat16)
    model.knownAutoencoder.convert(to: .bfloat16)
    let options = try TinyGenerator.options(temperature: 0.5) { $0.maximumTokens = 20 }
    let generator = try ChunkGenerator(model, prompt: TinyGenerator.prompt(6), options: options)
    #expect(generator.hidden.dtype == .bfloat16)
    #expect(!generator.hidden.requiresGradient)
    #expect(try generator.run()[0].end != nil)
  }
}
