import CALM
import Foundation
import Testing
import Torch

@Suite("Tree of beginnings of a tokens head") struct BeginningTreeTests {
  private static let (chunkSize, positions, samples) = (3, 4, 60)
  private let model = SmallModels.languageModel(head: .tokens, chunkSize: chunkSize)
  private let hidden = Generator(seed: 7).normal([positions, 32])

  /// The uniform numbers of the candidates, [samples, positions, K].
  private var noise: Tensor { Generator(seed: 8).uniform([Self.samples, Self.positions, Self.chunkSize]) }

  /// The owner of each candidate.
  private var owners: [Int] { Array(repeating: Array(0..<Self.positions), count: Self.samples).flatMap { $0 } }

  private func tree(mostSums: Int = BeginningTree.mostSums) throws -> BeginningTree {
    BeginningTree(
      try #require(model.head as? TokensHead), hidden: hidden, vocabulary: model.backbone.embedding.weight,
      given: Array(repeating: [], count: Self.positions), mostSums: mostSums)
  }

  /// Asks a tree for the first tokens of all candidates, then for the second, and so on.
  private func tokens(_ tree: BeginningTree) -> [Int32] {
    let numbers = noise.elements(as: Float.self)
    let parts = (0..<Self.chunkSize).map { part in
      tree.tokens(
        after: owners.enumerated().map { ($1, $0 * Self.chunkSize..<$0 * Self.chunkSize + part + 1) }, numbers: numbers
      ).tokens
    }
    return owners.indices.flatMap { candidate in parts.map { $0[candidate] } }
  }

  // With room for five rows of sums, most are computed several times.
  @Test("The tokens are those of all candidates computed at once", arguments: [BeginningTree.mostSums, 5 * 50])
  func tokens(mostSums: Int) throws {
    try withoutGradients {
      try keepingRowsApart {
        let head = try #require(model.head as? TokensHead)
        let expected = try head.tokens(hidden, noise: noise, vocabulary: model.backbone.embedding.weight)
        #expect(tokens(try tree(mostSums: mostSums)) == expected.elements(as: Int32.self))
      }
    }
  }

  @Test("Tokens can be asked for in any order")
  func order() throws {
    let tree = try tree()
    let expected = tokens(try self.tree())
    let numbers = noise.elements(as: Float.self)
    for candidate in owners.indices.reversed() {
      let first = candidate * Self.chunkSize
      let last = tree.tokens(after: [(owners[candidate], first..<first + Self.chunkSize)], numbers: numbers).tokens
      #expect(last == [expected[first + Self.chunkSize - 1]])
    }
  }

  @Test("A chunk goes on from the node before its last token")
  func goesOn() throws {
    let expected = tokens(try tree())
    let numbers = noise.elements(as: Float.self)
    let tree = try tree()
    var nodes = owners
    for part in 0..<Self.chunkSize {
      // From a node of `length` tokens, the numbers of the tokens after them.
      let length = max(0, part - 1)
      let starts = nodes.enumerated().map { ($1, $0 * Self.chunkSize + length..<$0 * Self.chunkSize + part + 1) }
      let found = tree.tokens(after: starts, numbers: numbers)
      #expect(found.tokens == owners.indices.map { expected[$0 * Self.chunkSize + part] })
      nodes = found.nodes
    }
  }

  @Test("Given first tokens, the next one has its conditional probability")
  func given() throws {
    let head = try #require(model.head as? TokensHead)
    let (vocabulary, vocabularySize) = (model.backbone.embedding.weight, SmallModels.vocabularySize)
    let (first, state) = (Int32(17), hidden.narrowed(0, 0..<1))
    // The probabilities of all chunks that begin with the token: [V, V] by their second and third one.
    let chunks = (0..<vocabularySize).flatMap { second in
      (0..<vocabularySize).flatMap { [Int64(first), Int64(second), Int64($0)] }
    }
    let joint = withoutGradients {
      (-head.negativeLogLikelihood(
        hidden: state.expanded(chunks.count / Self.chunkSize, 32),
        next: Tensor(chunks, shape: [chunks.count / Self.chunkSize, Self.chunkSize]),
        vocabulary: vocabulary, samples: 1, generator: Generator(seed: 1))).exp()
    }.reshaped(vocabularySize, vocabularySize).sum(1).elements(as: Double.self)

    let tree = BeginningTree(head, hidden: state, vocabulary: vocabulary, given: [[first]])
    let count = 10_000
    let numbers = (0..<count).flatMap { [Float(0.5), (Float($0) + 0.5) / Float(count)] }
    let firsts = (0..<count).map { (node: 0, own: 2 * $0..<2 * $0 + 1) }
    #expect(Set(tree.tokens(after: firsts, numbers: numbers).tokens) == [first])
    var counts = Array(repeating: 0.0, count: vocabularySize)
    let both = (0..<count).map { (node: 0, own: 2 * $0..<2 * $0 + 2) }
    for token in tree.tokens(after: both, numbers: numbers).tokens { counts[Int(token)] += 1 }
    // An interval of length p has p · count of the numbers, up to one.
    let total = joint.reduce(0, +)
    for (found, joint) in zip(counts, joint) { #expect(abs(found - joint / total * Double(count)) < 1.5) }
  }

  @Test(
    "Tokens have their probabilities to the power 1/T, limited by top-k and top-p",
    arguments: [
      TokenChoice(temperature: 0.5), TokenChoice(temperature: 1.7), TokenChoice(temperature: 1, topK: 1),
      TokenChoice(temperature: 0.7, topK: 9), TokenChoice(temperature: 1, topP: 0.6),
      TokenChoice(temperature: 1.3, topK: 20, topP: 0.5),
    ], [true, false])
  func limited(choice: TokenChoice, isFused: Bool) throws {
    let head = try #require(model.head as? TokensHead)
    let (vocabulary, state) = (model.backbone.embedding.weight, hidden.narrowed(0, 0..<1))
    let first: Int32 = 17
    let logits = withoutGradients { head.logits(after: [(0, [first])], head.context(state), vocabulary: vocabulary) }
    let expected = law(logits.elements(as: Double.self), choice)

    // With gradients, the head is not fused.
    let make = { BeginningTree(head, hidden: state, vocabulary: vocabulary, given: [[first]], choice: choice) }
    let tree = isFused ? withoutGradients(make) : make()
    let count = 10_000
    let numbers = (0..<count).flatMap { [Float(0.5), (Float($0) + 0.5) / Float(count)] }
    var counts = Array(repeating: 0.0, count: SmallModels.vocabularySize)
    let both = (0..<count).map { (node: 0, own: 2 * $0..<2 * $0 + 2) }
    for token in tree.tokens(after: both, numbers: numbers).tokens { counts[Int(token)] += 1 }
    for (found, probability) in zip(counts, expected) { #expect(abs(found - probability * Double(count)) < 1.5) }
  }

  /// The probabilities of the tokens, from the definitions of top-k and top-p.
  private func law(_ logits: [Double], _ choice: TokenChoice) -> [Double] {
    var weights = logits.map { exp($0 / choice.temperature) }
    let ranks = weights.map { weight in weights.filter { $0 > weight }.count }
    if let topK = choice.topK { weights = zip(weights, ranks).map { $1 < topK ? $0 : 0 } }
    if let topP = choice.topP {
      let total = weights.reduce(0, +)
      // A token is in the set unless those that are more likely reach the sum.
      let above = weights.map { weight in weights.filter { $0 > weight }.reduce(0, +) }
      weights = zip(weights, above).map { $1 < topP * total ? $0 : 0 }
    }
    let total = weights.reduce(0, +)
    return weights.map { $0 / total }
  }

  @Test("A hidden state that is not finite makes no tokens, and leaves other positions as they are")
  func notFinite() throws {
    let expected = tokens(try tree())
    hidden.selected(0, 1).fill(.nan)
    let found = tokens(try tree())
    for (index, owner) in owners.enumerated() {
      let places = index * Self.chunkSize..<(index + 1) * Self.chunkSize
      #expect(found[places] == (owner == 1 ? Array(repeating: -1, count: Self.chunkSize)[...] : expected[places]))
    }
  }
}
