import CALM
import Foundation
import Testing
import Torch

@Suite("Every generative head") struct HeadTests {
  private static let kinds = HeadKind.allCases
  private static let kindsOfLatents = kinds.filter(\.usesAutoencoder)
  private static let kindsOfTokens = kinds.filter { !$0.usesAutoencoder }

  /// Two conditions, each with its own normal distribution, learned within a second.
  @Test("a head of latents learns the distribution of its targets", arguments: kindsOfLatents)
  func learnsDistribution(kind: HeadKind) throws {
    var sizes = LanguageModelConfiguration(
      vocabularySize: 8, latentSize: 2, hiddenSize: 32, attentionHeads: 2, head: kind, headBlocks: 2)
    sizes.noiseSize = 8
    sizes.samples = 16
    let generator = Generator(seed: 4)
    let model = ContinuousLanguageModel(
      sizes, autoencoder: Autoencoder(AutoencoderConfiguration(vocabularySize: 8, latentSize: 2), generator: generator),
      generator: generator)
    let head = try #require(model.head as? any LatentHead)
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
    #expect(try samples(of: loaded).equals(samples(of: folder.model)).all())
  }

  @Test("a model whose head samples tokens takes no autoencoder", arguments: kindsOfTokens)
  func takesNoAutoencoder(kind: HeadKind) throws {
    let folder = try TemporaryModel(SmallModels.languageModel(head: kind))
    let error = ModelError.samplesTokens(folder.url.path, kind)
    #expect(throws: error) { try ModelFolder(folder.url).loadLanguageModel(autoencoder: folder.url) }
    #expect(throws: error) { try ModelFolder(folder.url).loadAutoencoder() }
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

  @Test("a head of tokens learns how the tokens of a chunk depend on each other", arguments: kindsOfTokens)
  func learnsDependence(kind: HeadKind) throws {
    let generator = Generator(seed: 4)
    let sizes = LanguageModelConfiguration(
      vocabularySize: 8, chunkSize: 2, latentSize: 8, hiddenSize: 32, attentionHeads: 2, head: kind, headBlocks: 2)
    let head = try #require(
      ContinuousLanguageModel(sizes, autoencoder: nil, generator: generator).head as? any TokenHead)
    head.setTrainable(true)
    let optimizer = AdamW(head.namedParameters())
    // After one hidden state two equal tokens, 1 1 or 2 2, after the other 3 4 in nine of ten cases, else 5 6.
    let wanted: [[[Int32]: Double]] = [[[1, 1]: 0.5, [2, 2]: 0.5], [[3, 4]: 0.9, [5, 6]: 0.1]]
    let chunks: [[Int64]] = (0..<10).flatMap { [$0 % 2 == 0 ? [1, 1] : [2, 2], $0 == 0 ? [5, 6] : [3, 4]] }
    let conditions = generator.normal([2, 32])
    let vocabulary = generator.normal([8, 32])
    let hidden = conditions.gathered(0, Tensor((0..<80).map { Int64($0 % 2) }))
    let next = Tensor((0..<4).flatMap { _ in chunks.flatMap { $0 } }, shape: [80, 2])
    for step in 0..<400 {
      head.loss(hidden: hidden, next: next, vocabulary: vocabulary, generator: generator).backward()
      optimizer.update(learningRate: 1e-2 * (1 - Double(step) / 400), gradientScale: 1)
    }
    let count = 2_000
    let samples = try withoutGradients {
      try head.tokens(
        conditions, noise: head.noise(samples: count, positions: 2, generator: generator), vocabulary: vocabulary)
    }.elements(as: Int32.self)
    for (condition, law) in wanted.enumerated() {
      for (chunk, probability) in law {
        let found = (0..<count).count { sample in
          let first = (2 * sample + condition) * 2
          return Array(samples[first..<first + 2]) == chunk
        }
        // Training error sets the tolerance: 2,000 samples leave a standard error of 0.011.
        let share = Double(found) / Double(count)
        #expect(abs(share - probability) < 0.08, "\(chunk): \(share)")
      }
    }
  }

  @Test("the samples of a position do not depend on other positions", arguments: kinds)
  func positionsAreIndependent(kind: HeadKind) throws {
    let model = SmallModels.languageModel(head: kind)
    if let head = model.head as? any TokenHead {
      let generator = Generator(seed: 9)
      let vocabulary = generator.normal([SmallModels.vocabularySize, 32])
      let (hidden, noise) = (generator.normal([3, 32]), head.noise(samples: 20, positions: 3, generator: generator))
      let all = try head.tokens(hidden, noise: noise, vocabulary: vocabulary)
      let second = try head.tokens(
        hidden.narrowed(0, 1..<2), noise: noise.narrowed(1, 1..<2), vocabulary: vocabulary)
      #expect(all.narrowed(1, 1..<2).contiguous().equals(second).all())
      return
    }
    let head = try #require(model.head as? any LatentHead)
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

  /// Latents, or tokens of a head that samples tokens.
  private func samples(of model: ContinuousLanguageModel) throws -> Tensor {
    try withoutGradients {
      let hidden = Generator(seed: 1).normal([2, model.configuration.hiddenSize])
      return model.autoencoder == nil
        ? try model.sampleChunks(hidden, count: 20, generator: Generator(seed: 2))
        : model.sampleLatents(hidden, count: 2, generator: Generator(seed: 2))
    }
  }
}
