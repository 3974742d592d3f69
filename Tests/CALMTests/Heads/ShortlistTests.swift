import CALM
import Foundation
import Testing
import Torch

@Suite("Tokens heads of one step") struct ShortlistTests {
  private static let vocabularySize = 5
  private static let chunkSize = 3
  private let vocabulary = Generator(seed: 4).normal([vocabularySize, 16]) * 0.5
  private let hidden = Generator(seed: 5).normal([1, 16])

  /// A head with random weights.
  private func head(shortlist: Int, isOneStep: Bool = true) -> TokensHead {
    var sizes = LanguageModelConfiguration(
      vocabularySize: Self.vocabularySize, chunkSize: Self.chunkSize, hiddenSize: 16, attentionHeads: 2, head: .tokens,
      headBlocks: 1)
    (sizes.isOneStep, sizes.shortlistSize) = (isOneStep, shortlist)
    let head = TokensHead(sizes, generator: Generator(seed: 1))
    head.setTrainable(false)
    let generator = Generator(seed: 2)
    // The proposals are the last of the parameters, so the others are those of a head of several steps.
    for parameter in head.namedParameters() {
      parameter.tensor.copy(from: generator.normal(parameter.tensor.shape, deviation: 0.25))
    }
    return head
  }

  /// The probabilities of all chunks, in the order of their numbers in base V.
  private func probabilities(_ head: TokensHead, samples: Int) -> [Double] {
    let count = Int(pow(Double(Self.vocabularySize), Double(Self.chunkSize)))
    let digits = (0..<count).flatMap { chunk in
      [chunk / (Self.vocabularySize * Self.vocabularySize), chunk / Self.vocabularySize, chunk].map {
        Int64($0 % Self.vocabularySize)
      }
    }
    return withoutGradients {
      head.negativeLogLikelihood(
        hidden: hidden.expanded(count, -1).contiguous(), next: Tensor(digits, shape: [count, Self.chunkSize]),
        vocabulary: vocabulary, samples: samples, generator: Generator(seed: 3))
    }.elements(as: Double.self).map { exp(-$0) }
  }

  /// The shares of all chunks in samples.
  private func shares(_ head: TokensHead, of samples: Int) throws -> [Double] {
    let tokens = try withoutGradients {
      try head.tokens(
        hidden, noise: head.noise(samples: samples, positions: 1, generator: Generator(seed: 6)), vocabulary: vocabulary
      )
    }.elements(as: Int64.self)
    var counts = [Double](repeating: 0, count: Int(pow(Double(Self.vocabularySize), Double(Self.chunkSize))))
    for start in stride(from: 0, to: tokens.count, by: Self.chunkSize) {
      counts[tokens[start..<start + Self.chunkSize].reduce(0) { $0 * Self.vocabularySize + Int($1) }] += 1
    }
    return counts.map { $0 / Double(samples) }
  }

  @Test("the probabilities of all chunks sum to 1, and samples follow them", arguments: [1, 2, 7])
  func law(shortlist: Int) throws {
    let (head, samples) = (head(shortlist: shortlist), 100_000)
    let wanted = probabilities(head, samples: 2_000)
    #expect(abs(wanted.reduce(0, +) - 1) < 0.01, "\(wanted.reduce(0, +))")
    #expect(try #require(wanted.max()) < 0.8, "the law is hardly random")
    for (share, probability) in zip(try shares(head, of: samples), wanted) {
      // Six standard errors of the share, six counts for small ones, and the error of the estimated probability.
      let error = 6 * (probability / Double(samples)).squareRoot() + 6 / Double(samples) + 0.03 * probability
      #expect(abs(share - probability) < error, "\(share), expected \(probability)")
    }
  }

  @Test("with a long shortlist, the law is that of the head itself, and with a short one it is not")
  func limit() {
    let exact = probabilities(head(shortlist: 1, isOneStep: false), samples: 1)
    func distance(shortlist: Int) -> Double {
      zip(probabilities(head(shortlist: shortlist), samples: 200), exact).map { abs($0 - $1) }.reduce(0, +) / 2
    }
    #expect(distance(shortlist: 1000) < 0.01)
    #expect(distance(shortlist: 1) > 0.1)
  }

  @Test("the samples of a position do not depend on the other samples and positions")
  func independence() throws {
    let head = head(shortlist: 3)
    let hidden = Generator(seed: 7).normal([6, 16])
    let noise = head.noise(samples: 9, positions: 6, generator: Generator(seed: 8))
    try withoutGradients {
      let all = try head.tokens(hidden, noise: noise, vocabulary: vocabulary)
      let one = try head.tokens(
        hidden.narrowed(0, 4..<5), noise: noise.narrowed(1, 4..<5).narrowed(0, 2..<4), vocabulary: vocabulary)
      #expect(one.equals(all.narrowed(1, 4..<5).narrowed(0, 2..<4)).all())
    }
  }

  @Test("a student cannot be compared with its teacher sample by sample, since it uses other noise")
  func agreement() {
    let student = SmallModels.languageModel(head: .tokens, isOneStep: true)
    #expect(!student.canAgree(with: SmallModels.languageModel(head: .tokens)))
    #expect(student.canAgree(with: student))
  }

  @Test("a model folder whose one-step head lacks its proposals is refused")
  func missingProposals() throws {
    let folder = try TemporaryModel(SmallModels.languageModel(head: .tokens))
    try folder.edit { $0["one_step"] = true }
    let error = #expect(throws: (any Error).self) { try ModelFolder(folder.url).loadLanguageModel() }
    #expect("\(try #require(error))".contains("proposals"))
  }
}
