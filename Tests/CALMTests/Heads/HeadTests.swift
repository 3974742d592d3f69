import CALM
import Foundation
import Testing
import Torch

@Suite("Every generative head") struct HeadTests {
  private static let kinds = HeadKind.allCases

  /// Two conditions, each with its own normal distribution, learned within a second.
  @Test("a head learns the distribution of its targets", arguments: kinds)
  func learnsDistribution(kind: HeadKind) {
    var sizes = LanguageModelConfiguration(
      vocabularySize: 8, latentSize: 2, hiddenSize: 32, attentionHeads: 2, head: kind, headBlocks: 2)
    sizes.noiseSize = 8
    sizes.samples = 16
    let generator = Generator(seed: 4)
    let model = ContinuousLanguageModel(
      sizes, autoencoder: Autoencoder(AutoencoderConfiguration(vocabularySize: 8, latentSize: 2), generator: generator),
      generator: generator)
    let head = model.head
    head.setTrainable(true)
    let optimizer = AdamW(head.namedParameters())

    let (means, deviations): ([Float], [Float]) = ([-1, 0.5, 2, 0], [0.3, 1, 0.5, 0.1])
    let conditions = generator.normal([2, 32])
    let rows = Tensor((0..<64).map { Int64($0 % 2) })
    let hidden = conditions.gathered(0, rows)
    let targets = LatentDistribution(
      mean: Tensor(means, shape: [2, 2]).gathered(0, rows),
      logDeviation: Tensor(deviations.map(log), shape: [2, 2]).gathered(0, rows))
    for step in 0..<400 {
      head.loss(hidden: hidden, targets: targets, generator: generator).backward()
      optimizer.update(learningRate: 5e-3 * (1 - Double(step) / 400), gradientScale: 1)
    }
    let samples = withoutGradients {
      head(conditions, noise: head.noise(samples: 2_000, positions: 2, generator: generator))
    }
    let found = samples.mean(0)
    let spread = (samples - found).squared().mean(0).squareRoot()
    // Training error, not sampling error, sets these tolerances: 2,000 samples leave 0.02.
    for (value, wanted) in zip(found.elements(as: Float.self), means) { #expect(abs(value - wanted) < 0.25) }
    for (value, wanted) in zip(spread.elements(as: Float.self), deviations) {
      #expect(abs(value - wanted) < 0.1 + 0.3 * wanted)
    }
  }

  @Test("a model with any head gives the same samples after saving and loading", arguments: kinds)
  func roundTrip(kind: HeadKind) throws {
    let folder = try TemporaryModel(SmallModels.languageModel(head: kind))
    let loaded = try ModelFolder(folder.url).loadLanguageModel()
    #expect(loaded.configuration.head == kind)
    #expect(largestDifference(samples(of: loaded), samples(of: folder.model)) == 0)
  }

  @Test("a head is inferred from its weights if the configuration does not name it", arguments: kinds)
  func inferredFromWeights(kind: HeadKind) throws {
    let folder = try TemporaryModel(SmallModels.languageModel(head: kind))
    try folder.edit {
      $0["architectures"] = nil
      $0["model_type"] = nil
    }
    #expect(try ModelFolder(folder.url).loadLanguageModel().configuration.head == kind)
  }

  @Test("the samples of a position do not depend on other positions", arguments: kinds)
  func positionsAreIndependent(kind: HeadKind) {
    let head = SmallModels.languageModel(head: kind).head
    let generator = Generator(seed: 9)
    let (hidden, noise) = (generator.normal([3, 32]), head.noise(samples: 2, positions: 3, generator: generator))
    withoutGradients {
      let all = head(hidden, noise: noise)
      let second = head(hidden.narrowed(0, 1..<2), noise: noise.narrowed(1, 1..<2))
      let size = largestDifference(second, Tensor.zeros(second.shape))
      #expect(largestDifference(all.narrowed(1, 1..<2).contiguous(), second) < 1e-4 * size)
    }
  }

  @Test("the error for an unknown head names it and the known ones", arguments: ["architectures", "model_type"])
  func unknownHead(key: String) throws {
    let folder = try TemporaryModel(SmallModels.languageModel())
    try folder.edit {
      $0["architectures"] = key == "architectures" ? ["MagicTransformer"] : nil
      $0["model_type"] = "magic"
    }
    let error = #expect(throws: ModelError.self) { try ModelFolder(folder.url).loadLanguageModel() }
    #expect(error?.description.lowercased().contains("magic") == true)
    #expect(error?.description.contains("diffusion") == true)
  }

  private func samples(of model: ContinuousLanguageModel) -> Tensor {
    withoutGradients {
      let hidden = Generator(seed: 1).normal([2, model.configuration.hiddenSize])
      return model.sampleLatents(hidden, count: 2, generator: Generator(seed: 2))
    }
  }
}
