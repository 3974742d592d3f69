import CALM
import Testing
import Torch

@Suite("Model input") struct ModelInputTests {
  private func model(_ input: ModelInput) -> ContinuousLanguageModel {
    let tokens = SmallModels.languageModel()
    var configuration = tokens.configuration
    configuration.input = input
    return ContinuousLanguageModel(configuration, autoencoder: tokens.knownAutoencoder, generator: Generator(seed: 3))
  }

  @Test("a saved model has the same input after loading", arguments: ModelInput.allCases)
  func roundTrip(input: ModelInput) throws {
    let folder = try TemporaryModel(model(input))
    let loaded = try ModelFolder(folder.url).loadLanguageModel()
    #expect(loaded.configuration.input == input)
    let ids = SmallModels.ids(rows: 2, tokens: 12, seed: 4)
    #expect(largestDifference(loaded.hiddenStates(ids), folder.model.hiddenStates(ids)) == 0)
  }

  @Test(
    "a model without token input has no input compression, and gradients reach the inputs",
    arguments: ModelInput.allCases)
  func gradients(input: ModelInput) {
    let model = model(input)
    model.setTrainable(true)
    model.loss(SmallModels.ids(rows: 2, tokens: 12, seed: 4), generator: Generator(seed: 5)).total.backward()
    func isReached(_ name: String) -> Bool {
      model.namedParameters().contains { $0.name == name && $0.tensor.gradient != nil }
    }
    #expect(isReached("embed_proj.0.weight") == (input != .latents))
    #expect(isReached("transformer.embed_tokens.weight") == (input != .latents))
    #expect(isReached("latent_proj.0.weight") == (input != .tokens))
  }

  @Test("hidden states do not depend on later chunks, for any model input", arguments: ModelInput.allCases)
  func causality(input: ModelInput) {
    let model = model(input)
    let (one, two) = (SmallModels.ids(rows: 1, tokens: 12, seed: 4), SmallModels.ids(rows: 1, tokens: 12, seed: 6))
    let mixed = Tensor.concatenated([one.narrowed(1, 0..<6), two.narrowed(1, 6..<12)], along: 1)
    withoutGradients {
      let (whole, changed) = (model.hiddenStates(one), model.hiddenStates(mixed))
      #expect(largestDifference(whole.narrowed(1, 0..<2).contiguous(), changed.narrowed(1, 0..<2).contiguous()) < 1e-5)
      #expect(largestDifference(whole.narrowed(1, 2..<4).contiguous(), changed.narrowed(1, 2..<4).contiguous()) > 1e-3)
    }
  }

  @Test("the error for an unknown model input names it")
  func unknown() throws {
    let folder = try TemporaryModel(model(.tokens))
    try folder.edit { $0["model_input"] = "smells" }
    let error = #expect(throws: ModelError.self) { try ModelFolder(folder.url).loadLanguageModel() }
    #expect(error?.description.contains("smells") == true)
  }
}
