import CALM
import Foundation
import Testing
import Torch

@Suite("Paths from noise to token embeddings") struct EmbeddingPathTests {
  @Test("The paths of a tokens head end at chunks with the probabilities of the head")
  func law() throws {
    let (vocabularySize, chunkSize, d) = (5, 2, 4)
    var sizes = LanguageModelConfiguration(
      vocabularySize: vocabularySize, chunkSize: chunkSize, latentSize: chunkSize * d, hiddenSize: 16,
      attentionHeads: 2, head: .tokens, headBlocks: 1)
    sizes.solverSteps = 24
    let generator = Generator(seed: 3)
    let head = TokensHead(sizes, generator: generator)
    head.setTrainable(false)
    for parameter in head.namedParameters() {
      let deviation = parameter.name.hasPrefix("prefix") ? 4 : 0.3
      parameter.tensor.copy(from: generator.normal(parameter.tensor.shape) * deviation)
    }
    let (hidden, vocabulary) = (generator.normal([1, 16]), generator.normal([vocabularySize, 16]) * 0.3)
    let words = generator.normal([vocabularySize, d])
    let path = EmbeddingPath(codeWords: words / words.squared().mean(-1, keepDimensions: true).squareRoot())

    let chunks = (0..<vocabularySize).flatMap { a in (0..<vocabularySize).map { [Int64(a), Int64($0)] } }
    let count = 40_000
    let (probabilities, found) = try withoutGradients {
      let next = Tensor(chunks.flatMap { $0 }, shape: [chunks.count, chunkSize])
      let information = head.negativeLogLikelihood(
        hidden: hidden.expanded(chunks.count, 16), next: next, vocabulary: vocabulary, samples: 1,
        generator: generator)
      let noise = generator.normal([count, 1, chunkSize * d])
      return (
        information.elements(as: Double.self).map { exp(-$0) },
        try head.tokens(hidden, noise: noise, path: path, vocabulary: vocabulary).elements(as: Int32.self)
      )
    }
    #expect(abs(probabilities.reduce(0, +) - 1) < 1e-5)
    var frequencies = [Double](repeating: 0, count: chunks.count)
    for sample in 0..<count {
      frequencies[Int(found[2 * sample]) * vocabularySize + Int(found[2 * sample + 1])] += 1 / Double(count)
    }
    // The steps of the solver cause most of the error.
    for (frequency, probability) in zip(frequencies, probabilities) { #expect(abs(frequency - probability) < 0.01) }
    // The second token depends on the first.
    let conditional = (0..<vocabularySize).map { first in
      let row = probabilities[first * vocabularySize..<(first + 1) * vocabularySize]
      return row.map { $0 / row.reduce(0, +) }
    }
    let differences = conditional.flatMap { row in zip(row, conditional[0]).map { abs($0 - $1) } }
    #expect(differences.max()! > 0.05, "\(conditional)")
  }
}
