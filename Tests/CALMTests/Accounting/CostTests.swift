import CALM
import Testing

@Suite("Counting operations")
struct CostTests {
  @Test(
    "the costs of the presets reproduce the paper's Table 1 within 5 %",
    arguments: Preset.allCases.filter { $0.published != nil })
  func tableOne(_ preset: Preset) throws {
    let published = try #require(preset.published)
    let inference = preset.model.cost.inferencePerToken / published.inferencePerToken
    let training = preset.paperTraining / published.training
    #expect(abs(inference - 1) < 0.05, "inference \(inference)")
    #expect(abs(training - 1) < 0.05, "training \(training)")
  }

  @Test("training a baseline costs three times as much as its inference")
  func threeForwardPasses() {
    let cost = Preset.transformerS.model.cost
    #expect(abs(cost.trainingPerToken / cost.inferencePerToken - 3) < 1e-12)
  }

  @Test("each further training sample has the same cost in training and none in inference")
  func samples() {
    var configuration = LanguageModelConfiguration(vocabularySize: 100, hiddenSize: 64, layers: 2, attentionHeads: 2)
    func cost(_ samples: Int) -> ModelCost {
      configuration.samples = samples
      return configuration.cost(autoencoder: AutoencoderConfiguration(vocabularySize: 100))
    }
    let (one, two, four) = (cost(1), cost(2), cost(4))
    let step = two.trainingPerToken - one.trainingPerToken
    #expect(step > 0)
    #expect(abs(four.trainingPerToken - two.trainingPerToken - 2 * step) < 1e-6 * step)
    #expect(one.inferencePerToken == four.inferencePerToken)
  }

  @Test("the auxiliary loss adds only to the cost of training")
  func auxiliary() {
    var configuration = LanguageModelConfiguration(vocabularySize: 100, hiddenSize: 64, layers: 2, attentionHeads: 2)
    let autoencoder = AutoencoderConfiguration(vocabularySize: 100)
    let without = configuration.cost(autoencoder: autoencoder)
    configuration.auxiliaryLossWeight = 1
    let with = configuration.cost(autoencoder: autoencoder)
    #expect(with.inferencePerToken == without.inferencePerToken)
    #expect(with.trainingPerToken > without.trainingPerToken)
  }

  @Test("the cost of the Transformer per token is inversely proportional to the chunk size")
  func chunkSize() throws {
    func transformer(_ chunkSize: Int) throws -> Double {
      let model = LanguageModelConfiguration(vocabularySize: 100, chunkSize: chunkSize)
      let cost = model.cost(autoencoder: AutoencoderConfiguration(vocabularySize: 100, chunkSize: chunkSize))
      return try #require(cost.parts.first { $0.name == "Transformer layers" }).inference
    }
    #expect(abs(try transformer(2) / transformer(8) - 4) < 1e-12)
  }
}
