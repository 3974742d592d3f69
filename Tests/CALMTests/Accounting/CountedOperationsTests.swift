import CALM
import Testing
import Torch

/// Compares the rule of ``ModelCost`` with the matrix products that libtorch runs.
@Suite("Counted operations")
struct CountedOperationsTests {
  /// Together more than 64 rows: fewer take fused kernels, whose products are not counted.
  private let batch = 3
  private let positions = 24

  /// A shape whose context is as long as the sequences here, because the rule counts attention at the full context.
  private func shape() -> TransformerShape {
    var shape = TransformerShape(hiddenSize: 64, layers: 3, attentionHeads: 4, keyValueHeads: 2)
    shape.maximumPositions = positions
    return shape
  }

  private func ids(_ tokens: Int, seed: UInt64 = 1) -> Tensor {
    Generator(seed: seed).uniform([batch, tokens], in: 2..<200).to(.int64)
  }

  private func transformer() -> AutoregressiveModel {
    AutoregressiveModel(
      AutoregressiveConfiguration(vocabularySize: 200, transformer: shape()), generator: Generator(seed: 1))
  }

  private func continuous(
    _ head: HeadKind, chunkSize: Int, input: ModelInput = .tokens, auxiliary: Double = 0
  ) -> ContinuousLanguageModel {
    let sizes = AutoencoderConfiguration(vocabularySize: 200, chunkSize: chunkSize, latentSize: 16, hiddenSize: 48)
    var configuration = LanguageModelConfiguration(
      vocabularySize: 200, chunkSize: chunkSize, latentSize: 16, auxiliaryLossWeight: auxiliary)
    configuration.transformer = shape()
    (configuration.head, configuration.input) = (head, input)
    let generator = Generator(seed: 2)
    return ContinuousLanguageModel(
      configuration, autoencoder: head.usesAutoencoder ? Autoencoder(sizes, generator: generator) : nil,
      generator: generator)
  }

  @Test("the cost of a forward pass of the baseline equals the counted operations")
  func baseline() {
    let model = transformer()
    let made = countingMultiplications {
      withoutGradients { _ = model.logits(model.hiddenStates(ids(positions)).reshaped(-1, 64)) }
    }
    #expect(2 * Double(made) == model.configuration.cost.inferencePerToken * Double(batch * positions))
  }

  @Test(
    "the inference cost of a continuous model equals the counted operations within 2 %",
    arguments: HeadKind.allCases, [1, 2, 4])
  func continuous(head: HeadKind, chunkSize: Int) {
    let model = continuous(head, chunkSize: chunkSize)
    let made = countingMultiplications {
      withoutGradients {
        let hidden = model.hiddenStates(ids(positions * chunkSize)).reshaped(-1, 64)
        if let autoencoder = model.autoencoder {
          let latents = model.sampleLatents(hidden, count: 1, generator: Generator(seed: 3))
          _ = autoencoder.logits(latents.reshaped(batch * positions, -1))
        } else {
          _ = try? model.sampleChunks(hidden, count: 1, generator: Generator(seed: 3))
        }
      }
    }
    let cost = model.configuration.cost(autoencoder: model.autoencoder?.configuration)
    let ratio = 2 * Double(made) / (cost.inferencePerToken * Double(batch * positions * chunkSize))
    #expect(abs(ratio - 1) < 0.02, "\(ratio)")
  }

  @Test(
    "the training cost of a continuous model equals the counted operations within 10 %", arguments: HeadKind.allCases,
    ModelInput.allCases)
  func training(head: HeadKind, input: ModelInput) {
    // A head that samples tokens has no latents to read.
    if !head.usesAutoencoder && input != .tokens { return }
    let model = continuous(head, chunkSize: 4, input: input, auxiliary: 1)
    model.setTrainable(true)
    // One chunk more than is read, because the last one is only predicted.
    let tokens = (positions + 1) * 4
    let made = countingMultiplications {
      model.loss(ids(tokens), generator: Generator(seed: 3)).total.backward()
    }
    let cost = model.configuration.cost(autoencoder: model.autoencoder?.configuration)
    let ratio = 2 * Double(made) / (cost.trainingPerToken * Double(batch * positions * 4))
    #expect(abs(ratio - 1) < 0.1, "\(ratio)")
  }

  @Test("the training cost of the baseline equals the counted operations within 5 %")
  func baselineTraining() {
    let model = transformer()
    model.setTrainable(true)
    let made = countingMultiplications { model.loss(ids(positions + 1)).backward() }
    let ratio = 2 * Double(made) / (model.configuration.cost.trainingPerToken * Double(batch * positions))
    #expect(abs(ratio - 1) < 0.05, "\(ratio)")
  }

  @Test("the cost of the auxiliary warm-up equals the counted operations within 10 %")
  func auxiliaryWarmupSteps() throws {
    let model = continuous(.energy, chunkSize: 4, auxiliary: 1)
    model.setTrainable(true)
    let made = countingMultiplications {
      model.auxiliaryLoss(ids((positions + 1) * 4), generator: Generator(seed: 3))?.backward()
    }
    let counted = model.configuration.auxiliaryWarmupPerToken(autoencoder: model.knownAutoencoder.configuration)
    let ratio = 2 * Double(made) / (counted * Double(batch * positions * 4))
    #expect(abs(ratio - 1) < 0.1, "\(ratio)")
  }
}
