import CALM
import Testing
import Torch

@Suite("Fused one-step head") struct FusedOneStepHeadTests {
  /// The kernel keeps no products of the first layer with so many embeddings.
  private static let largeVocabularySize = 60_000
  private static let chunkSize = PosteriorWorld.chunkSize

  private func fused(_ world: PosteriorWorld) throws -> FusedOneStepHead {
    try keepingRowsApart { try #require(world.head.fused(world.hidden, vocabulary: world.vocabulary)) }
  }

  @Test("The tokens are those of the tensor operations", arguments: [DType.float32, .bfloat16])
  func tokens(dtype: DType) throws {
    try withoutGradients {
      let world = PosteriorWorld(dtype, isOneStep: true, samples: 200)
      let fused = try fused(world)
      let found = fused.tokens(fused.beliefs(world.rows, positions: world.owners), at: world.places)
      // The kernel computes in float32 with weights of either type.
      let wide = PosteriorWorld(.float32, isOneStep: true, samples: 200)
      let expected = try wide.head.tokens(wide.hidden, noise: wide.noise, vocabulary: wide.vocabulary)
        .elements(as: Int32.self)
      #expect(Set(expected).count > world.vocabulary.shape[0] / 2)
      // Different orders of sums change a token where two logits are almost equal. In bfloat16, the logits of the prior
      // and the modulations are rounded.
      let different = zip(found, expected).filter { $0 != $1 }.count
      #expect(different <= (dtype == .float32 ? 2 : found.count / 25), "\(different) of \(found.count)")
    }
  }

  @Test("The tokens of a large vocabulary are those of the tensor operations", arguments: [DType.float32, .bfloat16])
  func largeVocabulary(dtype: DType) throws {
    try withoutGradients {
      let world = PosteriorWorld(dtype, isOneStep: true, samples: 20, vocabularySize: Self.largeVocabularySize)
      let fused = try fused(world)
      let found = fused.tokens(fused.beliefs(world.rows, positions: world.owners), at: world.places)
      let wide = PosteriorWorld(.float32, isOneStep: true, samples: 20, vocabularySize: Self.largeVocabularySize)
      let expected = try wide.head.tokens(wide.hidden, noise: wide.noise, vocabulary: wide.vocabulary)
        .elements(as: Int32.self)
      // Among so many tokens, almost equal logits are more frequent.
      let different = zip(found, expected).filter { $0 != $1 }.count
      #expect(different <= (dtype == .float32 ? 2 : found.count / 4), "\(different) of \(found.count)")
    }
  }

  @Test("Packed weights follow the weights of the head")
  func changedWeights() throws {
    try withoutGradients {
      let world = PosteriorWorld(.float32, isOneStep: true, samples: 200)
      func tokens() throws -> [Int32] {
        let fused = try fused(world)
        return fused.tokens(fused.beliefs(world.rows, positions: world.owners), at: world.places)
      }
      let before = try tokens()
      for name in ["token_embedding.weight", "final_layer.linear.weight", "time_embed.mlp.2.bias", "evidence_scale"] {
        let parameter = try #require(world.head.namedParameters().first { $0.name.hasSuffix(name) })
        parameter.tensor.copy(from: parameter.tensor * -2 + 0.5)
        let expected = try world.head.tokens(world.hidden, noise: world.noise, vocabulary: world.vocabulary)
          .elements(as: Int32.self)
        let found = try tokens()
        #expect(zip(found, expected).filter { $0 != $1 }.count <= 2, "after a change of \(name)")
        #expect(zip(found, before).filter { $0 != $1 }.count > found.count / 10)
      }
    }
  }

  @Test("Candidates do not influence each other, and tokens do not depend on the order of requests")
  func independence() throws {
    try withoutGradients {
      let world = PosteriorWorld(.float32, isOneStep: true, samples: 40)
      let fused = try fused(world)
      let beliefs = fused.beliefs(world.rows, positions: world.owners)
      let all = fused.tokens(beliefs, at: world.places)
      let backwards = fused.tokens(beliefs, at: world.places.reversed())
      #expect(Array(backwards.reversed()) == all)
      #expect(world.places.map { fused.tokens(beliefs, at: [$0])[0] } == all)

      var joined: FusedOneStepHead.Beliefs?
      for candidate in world.owners.indices {
        let own = fused.beliefs(
          world.rows.narrowed(0, candidate..<candidate + 1), positions: [world.owners[candidate]])
        joined = joined?.joined(with: own) ?? own
      }
      let separate = try #require(joined)
      #expect(fused.tokens(separate, at: world.places) == all)
      let some = separate.selecting([7, 2, 90])
      #expect(fused.tokens(some, at: Array(0..<9)) == tokens(all, of: [7, 2, 90]))

      // On one thread.
      let threads = Runtime.threads
      Runtime.threads = 1
      #expect(fused.tokens(fused.beliefs(world.rows, positions: world.owners), at: world.places) == all)
      Runtime.threads = threads

      // One position alone.
      let alone = try keepingRowsApart {
        try #require(world.head.fused(world.hidden.narrowed(0, 1..<2), vocabulary: world.vocabulary))
      }
      let own = world.owners.indices.filter { world.owners[$0] == 1 }
      let noise = world.rows.gathered(0, Tensor(own.map(Int64.init)))
      let ownBeliefs = alone.beliefs(noise, positions: own.map { _ in 0 })
      let ownTokens = alone.tokens(ownBeliefs, at: Array(0..<own.count * Self.chunkSize))
      #expect(ownTokens == tokens(all, of: own))
    }
  }

  /// Those of some candidates.
  private func tokens(_ all: [Int32], of candidates: [Int]) -> [Int32] {
    candidates.flatMap { all[$0 * Self.chunkSize..<($0 + 1) * Self.chunkSize] }
  }

  @Test("A logit that is not finite gives no token")
  func notFinite() throws {
    try withoutGradients {
      let world = PosteriorWorld(.float32, isOneStep: true, samples: 2)
      let fused = try fused(world)
      var noise = world.rows.elements(as: Float.self)
      noise[Self.chunkSize * PosteriorWorld.d] = .infinity  // of the second candidate
      let damaged = Tensor(noise, shape: world.rows.shape)
      let tokens = fused.tokens(fused.beliefs(damaged, positions: world.owners), at: world.places)
      #expect(tokens[3..<6].allSatisfy { $0 == -1 })
      #expect((tokens[..<3] + tokens[6...]).allSatisfy { $0 >= 0 })
    }
  }
}

extension PosteriorWorld {
  /// The position of each candidate.
  fileprivate var owners: [Int] { Array(repeating: Array(0..<Self.positions), count: noise.shape[0]).flatMap { $0 } }
  fileprivate var rows: Tensor { noise.reshaped(-1, Self.chunkSize * Self.d) }
  fileprivate var places: [Int] { Array(0..<owners.count * Self.chunkSize) }
}
