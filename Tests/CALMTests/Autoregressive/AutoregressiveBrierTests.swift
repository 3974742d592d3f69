import CALM
import CALMCorpus
import CALMSupport
import Testing
import Torch

/// Compares the evaluator with all probabilities of a vocabulary of five, computed without caches and branches.
@Suite("BrierLM of an autoregressive model") struct AutoregressiveBrierTests {
  private let model = SmallTransformer.model(vocabulary: 5)
  private let ids: [Int32] = [1, 4, 0, 2, 2, 3, 1, 0, 4]

  @Test("the accuracy and the first collision term are exact, the further ones are unbiased")
  func againstEnumeration() {
    var generator = SeededGenerator(seed: 8)
    let runs = (0..<30).map { _ in
      withoutGradients { model.brierScores(of: ids, samples: 10, using: &generator) }
    }
    for position in 0..<ids.count - 4 {
      let exact = exactScore(at: position)
      for order in 0..<4 {
        #expect(abs(runs[0][position].accuracy[order] - exact.accuracy[order]) < 1e-6)
        let found = Estimate(runs.map { $0[position].collision[order] })
        // 20 comparisons at five standard errors of 30 runs: one false alarm in about 1,500 seeds; this seed is fixed.
        #expect(abs(found.mean - exact.collision[order]) <= 5 * found.error + 1e-6, "order \(order + 1)")
      }
    }
  }

  @Test("the score equals that of continuations sampled from the probabilities")
  func againstSampling() throws {
    let positions = ids.count - 4
    let exact = (0..<positions).map(exactScore)
    var generator = SeededGenerator(seed: 3)
    let contexts = Array(repeating: Array(0..<positions), count: 400).flatMap { $0 }
    let result = try BrierLM.estimate(
      positions: contexts.enumerated().map { BrierPosition(truth: Array(ids[($1 + 1)...($1 + 4)]), document: $0) }
    ) { context, count in
      (0..<count).map { _ in continuation(of: Array(ids[...contexts[context]]), using: &generator) }
    }
    for order in 0..<4 {
      let wanted = exact.reduce(0) { $0 + $1.values[order] } / Double(positions)
      let error = try #require(result.brierStandardError?[order])
      // Four comparisons at four standard errors: one false alarm in about 4,000 seeds; this seed is fixed.
      #expect(abs(result.brier[order] - wanted) < 4 * error, "order \(order + 1)")
    }
  }

  private func continuation(of prefix: [Int32], using generator: inout SeededGenerator) -> [Int32] {
    var ids = prefix
    for _ in 0..<4 {
      var left = Double.random(in: 0..<1, using: &generator)
      let probabilities = probabilities(after: ids)
      ids.append(
        Int32(
          probabilities.firstIndex {
            left -= $0
            return left < 0
          } ?? 0))
    }
    return Array(ids.suffix(4))
  }

  /// Every continuation of four tokens.
  private func exactScore(at position: Int) -> BrierScore {
    var score = BrierScore(accuracy: .zero, collision: .zero)
    func visit(_ prefix: [Int32], _ probability: Double, _ order: Int) {
      for (token, next) in probabilities(after: prefix).enumerated() {
        let (ids, joint) = (prefix + [Int32(token)], probability * next)
        score.collision[order] += joint * joint
        if ids.elementsEqual(self.ids.prefix(ids.count)) { score.accuracy[order] = joint }
        if order < 3 { visit(ids, joint, order + 1) }
      }
    }
    visit(Array(ids[...position]), 1, 0)
    return score
  }

  private func probabilities(after ids: [Int32]) -> [Double] {
    withoutGradients {
      let hidden = model.hiddenStates(Tensor(ids.map(Int64.init), shape: [1, ids.count]))
      return softmax(model.logits(hidden.selected(1, ids.count - 1))).elements()
    }
  }
}

/// A mean with its standard error.
struct Estimate {
  let mean: Double
  let error: Double

  init(_ values: [Double]) {
    let mean = values.reduce(0, +) / Double(values.count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.mean = mean
    error = (squares / Double(values.count * (values.count - 1))).squareRoot()
  }
}

/// Autoregressive models that respond in less than a millisecond.
enum SmallTransformer {
  static func model(
    vocabulary: Int = 12, tied: Bool = false, special: SpecialTokens = SpecialTokens(), seed: UInt64 = 6
  ) -> AutoregressiveModel {
    AutoregressiveModel(
      AutoregressiveConfiguration(
        vocabularySize: vocabulary,
        transformer: TransformerShape(
          hiddenSize: 32, intermediateSize: 48, layers: 2, attentionHeads: 4, keyValueHeads: 2),
        tiesEmbeddings: tied, special: special),
      generator: Generator(seed: seed))
  }
}
