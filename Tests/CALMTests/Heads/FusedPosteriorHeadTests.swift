import CALM
import Testing
import Torch

@Suite("Fused posterior head") struct FusedPosteriorHeadTests {
  private func fused(_ world: PosteriorWorld, positions: Range<Int>? = nil) throws -> FusedPosteriorHead {
    try keepingRowsApart {
      try #require(world.head.fused(world.context(positions ?? 0..<PosteriorWorld.positions)))
    }
  }

  private func largestDifference(_ a: Tensor, _ b: Tensor) -> Float {
    let differences = (a - b).magnitude().elements(as: Float.self)
    return differences.allSatisfy(\.isFinite) ? differences.max() ?? 0 : .nan
  }

  // 4,999 tokens need more than one panel for each slice, and the last slice has fewer tokens than the others.
  @Test(
    "Means and tokens are those of the tensor operations", arguments: [DType.float32, .bfloat16], [50, 4_999])
  func results(dtype: DType, vocabularySize: Int) throws {
    try withoutGradients {
      // The kernel computes in float32 with weights of either type.
      let wide = PosteriorWorld(.float32, isOneStep: false, samples: 20, vocabularySize: vocabularySize)
      let world = PosteriorWorld(dtype, isOneStep: false, samples: 20, vocabularySize: vocabularySize)
      let context = wide.context(0..<PosteriorWorld.positions)
      let fused = try fused(world)
      for (evaluation, times) in world.head.path.times.dropLast().enumerated() {
        let logits = wide.head.logits(wide.noise, at: Tensor(times), context)
        let expected = matmul(softmax(logits), context.codeWords).reshaped(world.noise.shape)
        let error = largestDifference(fused.means(world.noise, evaluation: evaluation), expected)
        // The embeddings have numbers of about 1. In bfloat16, prior and modulations are rounded, to 1/256 of
        // themselves, and with them the logits.
        #expect(error < (dtype == .float32 ? 1e-4 : 0.3), "\(error) at evaluation \(evaluation)")
        let tokens = fused.tokens(world.noise, evaluation: evaluation)
        let different = zip(tokens, logits.argmax().elements(as: Int32.self)).filter { $0 != $1 }.count
        #expect(different <= (dtype == .float32 ? 1 : tokens.count / 10), "\(different) of \(tokens.count)")
      }
    }
  }

  @Test("Chunks at the end of a path are those of the tensor operations")
  func ends() throws {
    let world = PosteriorWorld(.float32, isOneStep: false, samples: 100)
    func tokens() throws -> [Int32] {
      try world.head.tokens(world.hidden, noise: world.noise, vocabulary: world.vocabulary).elements()
    }
    // With gradients, the head is not fused.
    let expected = try tokens()
    let found = try withoutGradients { try keepingRowsApart { try tokens() } }
    let different = zip(found, expected).filter { $0 != $1 }.count
    #expect(different <= 2, "\(different) of \(found.count)")
    #expect(Set(expected).count > 25)
  }

  @Test("Packed weights follow the weights of the head")
  func changedWeights() throws {
    try withoutGradients {
      let world = PosteriorWorld(.float32, isOneStep: false, samples: 20)
      let last = world.head.path.evaluations - 1
      for name in ["token_embedding.weight", "final_layer.linear.weight", "time_embed.mlp.2.bias"] {
        let parameter = try #require(world.head.namedParameters().first { $0.name.hasSuffix(name) })
        let before = try fused(world).means(world.noise, evaluation: last)
        parameter.tensor.copy(from: parameter.tensor * -2 + 0.5)
        let context = world.context(0..<PosteriorWorld.positions)
        let logits = world.head.logits(world.noise, at: Tensor(world.head.path.times[last]), context)
        let expected = matmul(softmax(logits), context.codeWords).reshaped(world.noise.shape)
        let found = try fused(world).means(world.noise, evaluation: last)
        #expect(largestDifference(found, expected) < 1e-4, "after a change of \(name)")
        #expect(largestDifference(found, before) > 1e-2)
      }
    }
  }

  @Test("Points do not influence each other, and threads do not matter")
  func independence() throws {
    try withoutGradients {
      let world = PosteriorWorld(.float32, isOneStep: false, samples: 40, vocabularySize: 500)
      let evaluation = 3
      let all = try fused(world).means(world.noise, evaluation: evaluation)
      let tokens = try fused(world).tokens(world.noise, evaluation: evaluation)
      for sample in [0, 17, 39] {
        let alone = world.noise.narrowed(0, sample..<sample + 1)
        let own = try fused(world).means(alone, evaluation: evaluation)
        #expect(own.equals(all.narrowed(0, sample..<sample + 1)).all())
      }
      let own = try fused(world, positions: 1..<2)
      let noise = world.noise.narrowed(1, 1..<2)
      #expect(own.means(noise, evaluation: evaluation).equals(all.narrowed(1, 1..<2)).all())
      #expect(
        own.tokens(noise, evaluation: evaluation)
          == Tensor(tokens, shape: [40, 3, 3]).narrowed(1, 1..<2).elements(as: Int32.self))

      let threads = Runtime.threads
      Runtime.threads = 1
      #expect(try fused(world).means(world.noise, evaluation: evaluation).equals(all).all())
      Runtime.threads = threads
    }
  }

  @Test("A logit that is not finite gives no token, and sampling fails")
  func notFinite() throws {
    try withoutGradients {
      let world = PosteriorWorld(.float32, isOneStep: false, samples: 2)
      var noise = world.noise.elements(as: Float.self)
      noise[PosteriorWorld.chunkSize * PosteriorWorld.d] = .nan  // of the second position
      let damaged = Tensor(noise, shape: world.noise.shape)
      let tokens = try fused(world).tokens(damaged, evaluation: 1)
      #expect(tokens[3..<6].allSatisfy { $0 == -1 })
      #expect((tokens[..<3] + tokens[6...]).allSatisfy { $0 >= 0 })
      #expect(throws: GenerationError.notFinite) {
        try world.head.tokens(world.hidden, noise: damaged, vocabulary: world.vocabulary)
      }
    }
  }
}

extension PosteriorWorld {
  /// The context of some positions.
  fileprivate func context(_ positions: Range<Int>) -> PosteriorHead.Context {
    head.context(hidden.narrowed(0, positions), vocabulary: vocabulary, codeWords: head.codeWords)
  }
}
