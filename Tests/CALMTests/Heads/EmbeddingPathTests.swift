import CALM
import Foundation
import Testing
import Torch

@Suite("Paths from noise to token embeddings") struct EmbeddingPathTests {
  @Test("With the exact posterior, paths end at tokens with their probabilities")
  func law() {
    let (vocabularySize, d, count) = (5, 4, 40_000)
    let generator = Generator(seed: 3)
    let words = generator.normal([vocabularySize, d])
    let codeWords = words / words.squared().mean(-1, keepDimensions: true).squareRoot()
    let path = EmbeddingPath(tokens: 1, steps: 24)
    let probabilities: [Double] = [0.4, 0.3, 0.15, 0.1, 0.05]
    let known = Tensor(probabilities.map { Float(log($0)) })
    func logits(_ x: Tensor, _ evaluation: Int) -> Tensor {
      known + linear(x * EmbeddingPath.precision(Tensor(path.times[evaluation])), weight: codeWords)
    }
    let last = path.lastPoint(from: generator.normal([count, 1, d])) { matmul(softmax(logits($0, $1)), codeWords) }
    let ends = logits(last, path.evaluations - 1)
    let found = ends.argmax(-1).elements(as: Int64.self)
    for (token, probability) in probabilities.enumerated() {
      let share = Double(found.filter { $0 == token }.count) / Double(count)
      // The steps of the solver cause most of the error.
      #expect(abs(share - probability) < 0.015, "\(share), expected \(probability)")
    }
  }
}
