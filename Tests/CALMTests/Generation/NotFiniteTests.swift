import CALM
import Testing
import Torch

/// Generation with NaN weights ends with an error instead of text.
@Suite("Weights that are not finite")
struct NotFiniteTests {
  private func damage(_ tensor: Tensor) {
    withoutGradients { tensor.copy(from: .full(tensor.shape, .nan)) }
  }

  private func expectNotFinite(_ what: String, _ generate: () throws -> Void) {
    let error = #expect(throws: GenerationError.self, "\(what)") { try generate() }
    #expect(error == .notFinite, "\(what): \(String(describing: error))")
  }

  @Test("NaN in any part of a continuous model ends its generation with an error", arguments: [1, 0.5, 0.4])
  func continuous(temperature: Double) throws {
    let parts = TinyGenerator.model().namedParameters().map(\.name)
    #expect(parts.count > 30)
    for index in parts.indices {
      let model = TinyGenerator.model()
      damage(model.namedParameters()[index].tensor)
      let options = try TinyGenerator.options(temperature: temperature) { $0.maximumTokens = 12 }
      expectNotFinite(parts[index]) { _ = try ChunkGenerator(model, prompt: [3, 4, 5], options: options).run() }
    }
  }

  @Test(
    "NaN in any part of a model with a one-step head ends its generation with an error",
    arguments: [(HeadKind.posterior, 1), (.posterior, 0.5), (.posterior, 0.4), (.tokens, 1), (.tokens, 0.5)],
    [GenerationOptions.Sampler.batch, .exact])
  func oneStep(kind: (head: HeadKind, temperature: Double), sampler: GenerationOptions.Sampler) throws {
    let (head, temperature) = kind
    let names = SmallModels.languageModel(head: head, isOneStep: true).namedParameters().map(\.name)
    #expect(names.count > 30)
    for (index, name) in names.enumerated() {
      let model = SmallModels.languageModel(head: head, isOneStep: true)
      damage(model.namedParameters()[index].tensor)
      // The prompt is a whole chunk, or has tokens with which the first chunk begins.
      for prompt in [[3, 4, 5], [3, 4, 5, 6]] as [[Int32]] {
        // The tokens head samples token 6 too rarely for the exact sampler.
        if head == .tokens && sampler == .exact && prompt.count == 4 { continue }
        let options = try TinyGenerator.options(temperature: temperature) {
          $0.sampler = sampler
          $0.maximumTokens = 12
        }
        expectNotFinite(name) { _ = try ChunkGenerator(model, prompt: prompt, options: options).run() }
      }
    }
  }

  @Test(
    "NaN in any part of the autoencoder's decoder ends generation with an error",
    arguments: [GenerationOptions.Sampler.batch, .exact])
  func decoder(sampler: GenerationOptions.Sampler) throws {
    let names = TinyGenerator.model().knownAutoencoder.namedParameters().map(\.name)
    let used = names.filter { $0.hasPrefix("decoder.") || $0.contains("embed_tokens") }
    #expect(used.count > 10)
    for name in used {
      let model = TinyGenerator.model()
      for parameter in model.knownAutoencoder.namedParameters() where parameter.name == name {
        damage(parameter.tensor)
      }
      let options = try TinyGenerator.options(temperature: 0.5) {
        $0.sampler = sampler
        $0.maximumTokens = 12
      }
      expectNotFinite(name) { _ = try ChunkGenerator(model, prompt: [], options: options).run() }
    }
  }

  @Test("NaN in any part of an autoregressive model ends its generation with an error", arguments: [nil, 3])
  func autoregressive(topK: Int?) throws {
    let count = SmallTransformer.model().namedParameters().count
    for index in 0..<count {
      let model = SmallTransformer.model()
      let parameter = model.namedParameters()[index]
      damage(parameter.tensor)
      var options = GenerationOptions()
      (options.topK, options.maximumTokens) = (topK, 4)
      expectNotFinite(parameter.name) {
        let generator = try TokenGenerator(model, prompt: [1], options: options)
        while try generator.step() != nil {}
      }
    }
  }

  @Test("a single NaN among the weights of the decoder's vocabulary ends generation with an error")
  func oneWeight() throws {
    let model = TinyGenerator.model()
    let weight = try #require(
      model.knownAutoencoder.namedParameters().first { $0.name == "encoder.embed_tokens.weight" }
    ).tensor
    withoutGradients {
      var values = weight.elements(as: Float.self)
      values[values.count - 1] = .nan
      weight.copy(from: Tensor(values, shape: weight.shape))
    }
    expectNotFinite("vocabulary") { _ = try ChunkGenerator(model, prompt: [], options: TinyGenerator.options()).run() }
  }
}
