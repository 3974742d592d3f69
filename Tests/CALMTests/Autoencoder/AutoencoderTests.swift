import CALM
import Foundation
import Testing
import Torch

@Suite("Autoencoder")
struct AutoencoderTests {
  @Test("the divergence is the integral of q log(q/p)")
  func divergenceIsAnIntegral() throws {
    let latent = withoutGradients {
      SmallModels.autoencoder().encode(SmallModels.ids(rows: 1, tokens: 12, seed: 3))
    }
    let means = latent.mean.elements(as: Double.self)
    let deviations = try #require(latent.logDeviation).elements(as: Double.self).map { exp($0) }
    let divergences = latent.divergence().elements(as: Double.self)
    for ((mean, deviation), found) in zip(zip(means, deviations), divergences) {
      // Integrates by the midpoint rule over ±12 deviations; both logarithms are of normal densities.
      let (steps, reach) = (4000, 12.0)
      let width = 2 * reach / Double(steps)
      let integral = (0..<steps).reduce(0.0) { sum, step in
        let u = -reach + (Double(step) + 0.5) * width
        let x = mean + deviation * u
        let density = exp(-u * u / 2) / (2 * Double.pi).squareRoot()
        return sum + density * (-u * u / 2 - log(deviation) + x * x / 2) * width
      }
      #expect(abs(found - integral) < 1e-5 * max(1, integral))
    }
  }

  @Test("a dimension's divergence below the KL clamp counts as the clamp", arguments: [0, 0.5, 2, 1000])
  func clamp(clamp: Double) {
    let model = SmallModels.autoencoder { $0.klClamp = clamp }
    let ids = SmallModels.ids(rows: 2, tokens: 12, seed: 4)
    withoutGradients {
      let divergences = model.encode(ids).divergence().elements(as: Double.self)
      let expected = divergences.reduce(0) { $0 + max($1, clamp) } / 8
      let found = model.loss(ids, noise: AutoencoderNoise()).divergence.item()
      #expect(abs(found - expected) < 1e-5 * max(1, expected))
    }
  }

  @Test("clamped dimensions get no gradient from the divergence")
  func clampedDimensionsAreLeftAlone() {
    let ids = SmallModels.ids(rows: 2, tokens: 12, seed: 5)
    let model = SmallModels.autoencoder { $0.klClamp = 1000 }
    model.loss(ids, noise: AutoencoderNoise()).divergence.backward()
    for parameter in model.namedParameters() {
      #expect(parameter.tensor.gradient?.equals(0).all() ?? true, "\(parameter.name)")
    }
  }

  @Test("the loss is K times the cross-entropy plus the weighted divergence")
  func lossParts() {
    let model = SmallModels.autoencoder { $0.klWeight = 0.25 }
    let ids = SmallModels.ids(rows: 2, tokens: 12, seed: 6)
    withoutGradients {
      let noise = AutoencoderNoise(chunks: 8, configuration: model.configuration, generator: Generator(seed: 7))
      let loss = model.loss(ids, noise: noise)
      let expected = 3 * loss.crossEntropy.item() + 0.25 * loss.divergence.item()
      #expect(abs(loss.total.item() - expected) < 1e-5 * expected)
    }
  }

  @Test("the cross-entropy is that of the logits, and decoding is their argmax")
  func logitsAgree() {
    let model = SmallModels.autoencoder()
    let ids = SmallModels.ids(rows: 2, tokens: 12, seed: 8)
    withoutGradients {
      let latent = model.encode(ids).mean
      let logits = model.logits(latent)
      let targets = ids.elements(as: Int64.self).map(Int.init)
      let logProbabilities = logSoftmax(logits).elements(as: Double.self)
      let expected = -targets.enumerated().reduce(0.0) { sum, target in
        sum + logProbabilities[target.offset * SmallModels.vocabularySize + target.element]
      }
      let found = model.loss(ids, noise: AutoencoderNoise()).crossEntropy.item()
      #expect(abs(found - expected / Double(targets.count)) < 1e-5)
      #expect(model.decode(latent).equals(logits.argmax()).all())
    }
  }

  @Test("masked tokens are read as id 0 but remain targets")
  func maskedTokens() {
    let model = SmallModels.autoencoder()
    let ids = SmallModels.ids(rows: 2, tokens: 12, seed: 9)
    let kept = Generator(seed: 10).bernoulli(ids.shape, probability: 0.5, dtype: .int64)
    withoutGradients {
      let loss = model.loss(ids, noise: AutoencoderNoise(keptTokens: kept))
      let masked = model.encode(ids * kept)
      let expected = masked.divergence().clamped(minimum: model.configuration.klClamp).sum(-1).mean()
      #expect(abs(loss.divergence.item() - expected.item()) < 1e-5)
      let ofMaskedTargets = model.loss(ids * kept, noise: AutoencoderNoise())
      #expect(abs(loss.crossEntropy.item() - ofMaskedTargets.crossEntropy.item()) > 1e-3)
    }
  }

  @Test("chunks of an autoencoder are independent")
  func chunksAreIndependent() {
    let model = SmallModels.autoencoder()
    let ids = SmallModels.ids(rows: 1, tokens: 12, seed: 11)
    withoutGradients {
      let all = model.encode(ids).mean
      let alone = (0..<4).map { model.encode(ids.narrowed(1, 3 * $0..<3 * $0 + 3).contiguous()).mean }
      #expect(largestDifference(all, .concatenated(alone)) < 1e-5)
      #expect(largestDifference(model.logits(all), .concatenated(alone.map { model.logits($0) })) < 1e-5)
    }
  }

  @Test("samples of a latent have its mean and standard deviation")
  func latentSamples() throws {
    let model = SmallModels.autoencoder()
    try withoutGradients {
      let latent = model.encode(SmallModels.ids(rows: 1, tokens: 12, seed: 12))
      let count = 20_000
      let scale = try #require(latent.logDeviation).exp()
      let standardized = (latent.samples(count, generator: Generator(seed: 13)) - latent.mean) / scale
      // Means of 20,000 standard normals: all 24 are within 6 standard errors, with false alarms below 1e-7.
      let error = 1 / Double(count).squareRoot()
      #expect(standardized.mean(0).magnitude().elements(as: Double.self).allSatisfy { $0 < 6 * error })
      // Likewise for means of squares, which have a deviation of √2.
      let squares = standardized.squared().mean(0) - 1
      #expect(squares.magnitude().elements(as: Double.self).allSatisfy { $0 < 6 * 2.0.squareRoot() * error })
    }
  }

  @Test("a deterministic autoencoder has neither noise nor divergence")
  func plain() {
    let model = SmallModels.autoencoder(isVariational: false)
    let ids = SmallModels.ids(rows: 2, tokens: 12, seed: 14)
    withoutGradients {
      let latent = model.encode(ids)
      #expect(latent.logDeviation == nil)
      let samples = latent.samples(3, generator: Generator(seed: 15))
      for index in 0..<3 { #expect(samples.selected(0, index).equals(latent.mean).all()) }
      let noise = AutoencoderNoise(chunks: 8, configuration: model.configuration, generator: Generator(seed: 16))
      let loss = model.loss(ids, noise: noise)
      #expect(abs(loss.total.item() - 3 * loss.crossEntropy.item()) < 1e-5)
    }
  }

  @Test("latents in bfloat16 are close to those in float32")
  func bfloat16() {
    let model = SmallModels.autoencoder()
    let ids = SmallModels.ids(rows: 4, tokens: 24, seed: 17)
    withoutGradients {
      let wide = model.encode(ids).mean
      model.convert(to: .bfloat16)
      let narrow = model.encode(ids).mean
      #expect(narrow.dtype == .float32)
      // bfloat16 has 8 significant bits: each of about a dozen roundings costs up to 0.4 %.
      let size = wide.magnitude().mean().item()
      #expect((narrow - wide).magnitude().mean().item() < 0.03 * size)
    }
  }
}
