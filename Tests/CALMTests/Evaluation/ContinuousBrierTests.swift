import CALM
import Testing
import Torch

/// The evaluator, compared with one that recomputes the hidden states of every prefix.
@Suite("BrierLM of a continuous model") struct ContinuousBrierTests {
  @Test("BrierLM of a continuous model agrees with brute force for any chunk size", arguments: [1, 2, 3, 4, 6])
  func bruteForce(chunkSize: Int) throws {
    let model = TinyGenerator.model(vocabulary: 4, chunkSize: chunkSize, latentDeviation: 0.3)
    let ids = TinyGenerator.prompt(chunkSize * 7, vocabulary: 4)
    let generator = Generator(seed: 21)
    let runs = try (0..<40).map { _ in
      try withoutGradients { try mean(model.scores(of: ids, samples: 4, generator: generator).brier) }
    }
    let other = Generator(seed: 22)
    let wanted = (0..<40).map { _ in mean(bruteForce(model, ids, samples: 4, generator: other)) }
    for order in 0..<4 {
      for term in [\BrierScore.accuracy, \BrierScore.collision] {
        let (one, two) = (
          Estimate(runs.map { $0[keyPath: term][order] }), Estimate(wanted.map { $0[keyPath: term][order] })
        )
        // 40 comparisons at five standard errors: one false alarm in some 10,000 seeds; these are fixed.
        let error = (one.error * one.error + two.error * two.error).squareRoot()
        #expect(abs(one.mean - two.mean) <= 5 * error, "\(term) of order \(order + 1): \(one), \(two)")
      }
    }
  }

  @Test("every position with four successors is scored", arguments: [1, 2, 3, 4, 5])
  func positions(chunkSize: Int) throws {
    let model = TinyGenerator.model(chunkSize: chunkSize)
    let ids = TinyGenerator.prompt(chunkSize * 9)
    let scores = try withoutGradients { try model.scores(of: ids, samples: 2, generator: Generator(seed: 1)) }
    #expect(scores.brier.count == 9 - (4 + chunkSize - 1) / chunkSize)
  }

  /// The scores of all positions, one after the other.
  private func bruteForce(
    _ model: ContinuousLanguageModel, _ ids: [Int32], samples: Int, generator: Generator
  ) -> [BrierScore] {
    let k = model.configuration.chunkSize
    return stride(from: k, through: ids.count - (4 + k - 1) / k * k, by: k).map { start in
      let rolled = (0..<samples).map { _ in
        var text = Array(ids[..<start])
        while text.count < start + 4 { text += model.chunks(after: text, count: 1, generator: generator)[0] }
        return Array(text[start...])
      }
      return BrierScore(samples: rolled, truth: Array(ids[start...]))
    }
  }

  private func mean(_ scores: [BrierScore]) -> BrierScore {
    let count = Double(scores.count)
    return BrierScore(
      accuracy: scores.reduce(.zero) { $0 + $1.accuracy } / count,
      collision: scores.reduce(.zero) { $0 + $1.collision } / count)
  }
}
