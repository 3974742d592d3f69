import CALM
import Testing
import Torch

@Suite("Parameter counts")
struct ParameterCountTests {
  @Test("the parameter count of a configuration is that of its autoencoder", arguments: autoencoders)
  func autoencoder(_ configuration: AutoencoderConfiguration) {
    let model = Autoencoder(configuration, generator: Generator(seed: 1))
    #expect(configuration.parameterCount == model.parameterCount)
  }

  @Test("the parameter count of a configuration is that of its language model", arguments: languageModels)
  func languageModel(_ configuration: LanguageModelConfiguration) {
    let sizes = AutoencoderConfiguration(
      vocabularySize: configuration.vocabularySize, chunkSize: configuration.chunkSize,
      latentSize: configuration.latentSize, hiddenSize: 16)
    let autoencoder = configuration.head.usesAutoencoder ? Autoencoder(sizes, generator: Generator(seed: 1)) : nil
    let model = ContinuousLanguageModel(configuration, autoencoder: autoencoder, generator: Generator(seed: 2))
    let cost = configuration.cost(autoencoder: autoencoder?.configuration)
    #expect(cost.parameters == model.parameterCount)
    #expect(cost.frozenParameters == autoencoder?.parameterCount ?? 0)
  }

  @Test("the parameter counts of the paper's models are the published ones")
  func published() {
    #expect(Preset.calmM.model.cost.parameters == 371_732_608)
    #expect(Preset.autoencoder.model.cost.parameters == 75_832_064)
    for preset in Preset.allCases {
      guard let published = preset.published else { continue }
      let difference = Double(preset.model.cost.parameters) / published.parameters - 1
      // The paper truncates its numbers to three digits.
      #expect(abs(difference) < 0.005, "\(preset.rawValue) differs by \(difference)")
    }
  }

  private static let autoencoders: [AutoencoderConfiguration] = {
    var deep = AutoencoderConfiguration(
      vocabularySize: 31, chunkSize: 3, latentSize: 5, hiddenSize: 12, intermediateSize: 20, encoderLayers: 4,
      decoderLayers: 6)
    deep.latentDropout = 0
    return [
      deep,
      AutoencoderConfiguration(vocabularySize: 300, chunkSize: 1, latentSize: 7, hiddenSize: 8),
      AutoencoderConfiguration(
        vocabularySize: 64, chunkSize: 8, latentSize: 10, hiddenSize: 16, encoderLayers: 3, isVariational: false),
    ]
  }()

  private static let languageModels: [LanguageModelConfiguration] = {
    var noisy = LanguageModelConfiguration(
      vocabularySize: 40, chunkSize: 2, latentSize: 6, hiddenSize: 24, intermediateSize: 30, layers: 3,
      attentionHeads: 4, keyValueHeads: 2, headBlocks: 3)
    noisy.noiseSize = 5
    var (latents, both) = (noisy, noisy)
    (latents.input, both.input) = (.latents, .both)
    return [
      noisy, latents, both,
      LanguageModelConfiguration(
        vocabularySize: 50, chunkSize: 4, latentSize: 8, hiddenSize: 32, layers: 1, attentionHeads: 2, headBlocks: 1,
        auxiliaryLossWeight: 1),
    ]
      + HeadKind.allCases.map {
        LanguageModelConfiguration(
          vocabularySize: 30, latentSize: 8, hiddenSize: 16, layers: 1, attentionHeads: 2, head: $0, headBlocks: 3)
      }
  }()
}
