import CALM
import Testing
import Torch

@Suite("Fused tokens head") struct FusedTokensHeadTests {
  private static let (vocabularySize, h, positions) = (50, 32, 5)

  /// A head with random weights, the token embeddings, hidden states, and beginnings of chunks.
  private struct World {
    let head: TokensHead
    let vocabulary: Tensor
    let hidden: Tensor
    /// 20 of each length from 0 to K − 1.
    let beginnings: [(position: Int, tokens: [Int32])]

    /// - Parameter dtype: the type of the weights, which are numbers of bfloat16 in any case.
    init(_ dtype: DType = .float32, chunkSize: Int = 4) {
      let sizes = LanguageModelConfiguration(
        vocabularySize: vocabularySize, chunkSize: chunkSize, latentSize: 16, hiddenSize: h, attentionHeads: 2,
        head: .tokens, headBlocks: 2)
      let generator = Generator(seed: 3)
      func normal(_ shape: [Int], _ deviation: Double) -> Tensor {
        generator.normal(shape, deviation: deviation).to(.bfloat16).to(dtype)
      }
      let head = TokensHead(sizes, generator: generator)
      head.setTrainable(false)
      head.convert(to: dtype)
      for parameter in head.namedParameters() { parameter.tensor.copy(from: normal(parameter.tensor.shape, 0.2)) }
      self.head = head
      (vocabulary, hidden) = (normal([vocabularySize, h], 0.5), normal([positions, h], 1))
      beginnings = (0..<chunkSize).flatMap { length in
        (0..<20).map { number in
          (number % positions, (0..<length).map { Int32((7 * number + 11 * $0) % vocabularySize) })
        }
      }
    }

    func fused() throws -> FusedTokensHead {
      try keepingRowsApart { try #require(head.fused(head.context(hidden), vocabulary: vocabulary)) }
    }

    /// The running sums of the probabilities by tensor operations.
    func sums() -> [Float] {
      softmax(head.logits(after: beginnings, head.context(hidden), vocabulary: vocabulary)).cumulativeSum(along: -1)
        .elements()
    }

    /// The largest difference of the kernel's running sums, divided by their totals, from others.
    func error(from expected: [Float]) throws -> Float {
      let found = try fused().sums(after: beginnings)
      #expect(found.count == expected.count)
      return found.indices.map { index in
        let last = (index / vocabularySize + 1) * vocabularySize - 1
        return abs(found[index] / found[last] - expected[index] / expected[last])
      }.max() ?? .nan
    }
  }

  // The kernel computes in float32 with weights of either type. In bfloat16, the rows of the prior and the modulations
  // are rounded: to 1/256 of themselves, which changes logits of about 5 by 1/50.
  @Test("The sums are those of the tensor operations", arguments: [DType.float32, .bfloat16], [1, 2, 4])
  func sums(dtype: DType, chunkSize: Int) throws {
    try withoutGradients {
      let expected = World(chunkSize: chunkSize).sums()
      let error = try World(dtype, chunkSize: chunkSize).error(from: expected)
      #expect(error < (dtype == .float32 ? 1e-5 : 0.05))
    }
  }

  @Test("The sums of powers are those of the tensor operations", arguments: [0.5, 2, 3])
  func powers(exponent: Double) throws {
    try withoutGradients {
      let world = World()
      let logits = world.head.logits(
        after: world.beginnings, world.head.context(world.hidden), vocabulary: world.vocabulary)
      let expected = softmax(logits * exponent).cumulativeSum(along: -1).elements(as: Float.self)
      let found = try world.fused().sums(after: world.beginnings, exponent: exponent)
      for (index, sum) in expected.enumerated() {
        let last = (index / Self.vocabularySize + 1) * Self.vocabularySize - 1
        #expect(abs(found[index] / found[last] - sum / expected[last]) < 1e-5)
      }
    }
  }

  @Test("Sums do not decrease")
  func ascending() throws {
    try withoutGradients {
      let found = try World().fused().sums(after: World().beginnings)
      for (index, pair) in zip(found, found.dropFirst()).enumerated() where (index + 1) % Self.vocabularySize != 0 {
        #expect(pair.0 <= pair.1)
      }
    }
  }

  @Test("Beginnings do not influence each other, and threads do not matter")
  func independence() throws {
    try withoutGradients {
      let world = World()
      let fused = try world.fused()
      let all = fused.sums(after: world.beginnings)
      for (index, beginning) in world.beginnings.enumerated() {
        #expect(
          fused.sums(after: [beginning]) == Array(all[index * Self.vocabularySize..<(index + 1) * Self.vocabularySize]))
      }
      let threads = Runtime.threads
      defer { Runtime.threads = threads }
      Runtime.threads = 1
      #expect(fused.sums(after: world.beginnings) == all)
    }
  }

  @Test("Packed weights follow the weights of the head")
  func changedWeights() throws {
    try withoutGradients {
      let world = World()
      for name in ["prefix.1.weight", "blocks.0.mlp.0.weight", "blocks.1.in_ln.bias", "output.linear.bias"] {
        let before = world.sums()
        let parameter = try #require(world.head.namedParameters().first { $0.name == name })
        parameter.tensor.copy(from: parameter.tensor * -2 + 0.5)
        let (change, error) = (try world.error(from: before), try world.error(from: world.sums()))
        #expect(change > 1e-3 && error < 1e-5, "after a change of \(name)")
      }
    }
  }

  @Test("A token whose logit is −∞ is impossible")
  func impossible() throws {
    try withoutGradients {
      let world = World()
      // The vectors of the logits, which are now those of the prior, are positive: products with these embeddings
      // overflow.
      let output = try #require(world.head.namedParameters().first { $0.name == "output.linear.weight" })
      output.tensor.fill(0)
      world.head.prior.bias?.fill(10)
      world.vocabulary.selected(0, 0).fill(-3e38)
      world.vocabulary.selected(0, 20).fill(-3e38)
      let possible = world.beginnings.filter { !$0.tokens.contains(0) && !$0.tokens.contains(20) }
      let found = try world.fused().sums(after: possible)
      for row in stride(from: 0, to: found.count, by: Self.vocabularySize) {
        #expect(found[row] == 0 && found[row + 20] == found[row + 19] && found[row + Self.vocabularySize - 1] > 0)
      }
    }
  }

  @Test("A hidden state that is not finite gives no sums, and leaves other positions as they are")
  func notFinite() throws {
    try withoutGradients {
      let world = World()
      let expected = try world.fused().sums(after: world.beginnings)
      world.hidden.selected(0, 1).fill(.infinity)
      let found = try world.fused().sums(after: world.beginnings)
      for (index, beginning) in world.beginnings.enumerated() {
        let row = index * Self.vocabularySize..<(index + 1) * Self.vocabularySize
        #expect(beginning.position == 1 ? found[row].allSatisfy { $0.isNaN } : found[row] == expected[row])
      }
    }
  }
}
