import CALM
import Testing
import Torch

@Suite("Initial student of a tokens head") struct StudentInitializationTests {
  @Test("Where the earlier tokens are certain, the initial student predicts the last one as its teacher does")
  func law() throws {
    let (vocabularySize, chunkSize, d, h) = (7, 3, 4, 16)
    var sizes = LanguageModelConfiguration(
      vocabularySize: vocabularySize, chunkSize: chunkSize, latentSize: chunkSize * d, hiddenSize: h,
      attentionHeads: 2, head: .tokens, headBlocks: 2)
    let generator = Generator(seed: 5)
    let teacher = TokensHead(sizes, generator: generator)
    sizes.head = .posterior
    sizes.isOneStep = true
    let student = PosteriorHead(sizes, generator: generator)
    for head in [teacher, student] as [any TokenHead] {
      head.setTrainable(false)
      for parameter in head.namedParameters() {
        parameter.tensor.copy(from: generator.normal(parameter.tensor.shape, deviation: 0.3))
      }
    }
    // All tokens but the last are certain.
    teacher.prior.weight.narrowed(0, 0..<(chunkSize - 1) * h).copy(
      from: generator.normal([(chunkSize - 1) * h, h], deviation: 100))

    student.initialize(from: teacher)
    // Without evidence, the predictions do not depend on the noise.
    student.namedParameters().first { $0.name == "evidence_scale" }?.tensor.fill(0)
    let (hidden, vocabulary) = (generator.normal([1, h]), generator.normal([vocabularySize, h]))
    let likely = try teacher.tokens(
      hidden, noise: teacher.noise(samples: 1, positions: 1, generator: generator), vocabulary: vocabulary
    ).elements(as: Int32.self).map(Int64.init)
    let chunks = (0..<vocabularySize).map { likely.dropLast() + [Int64($0)] }
    let next = Tensor(chunks.flatMap { $0 }, shape: [vocabularySize, chunkSize])
    func information(_ head: any TokenHead) -> [Double] {
      head.negativeLogLikelihood(
        hidden: hidden.expanded(vocabularySize, h), next: next, vocabulary: vocabulary, samples: 1, generator: generator
      ).elements(as: Double.self)
    }
    let (found, expected) = (information(student), information(teacher))
    for (found, expected) in zip(found, expected) { #expect(abs(found - expected) < 1e-4) }
    // The last token is not certain.
    #expect(expected.allSatisfy { $0 > 0.01 })
  }
}
