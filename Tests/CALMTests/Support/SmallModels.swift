import CALM
import Torch

/// Models small enough to compute with in milliseconds, with weights that are not close to zero.
enum SmallModels {
  static let vocabularySize = 50

  /// An autoencoder with random weights.
  static func autoencoder(
    chunkSize: Int = 3, latentSize: Int = 6, isVariational: Bool = true, seed: UInt64 = 1,
    adjusting adjust: (inout AutoencoderConfiguration) -> Void = { _ in }
  ) -> Autoencoder {
    var configuration = AutoencoderConfiguration(
      vocabularySize: vocabularySize, chunkSize: chunkSize, latentSize: latentSize, hiddenSize: 16,
      isVariational: isVariational)
    configuration.initializerRange = 0.3
    adjust(&configuration)
    return Autoencoder(configuration, generator: Generator(seed: seed))
  }

  /// A language model with random weights; those that training initializes to zero are not zero.
  static func languageModel(
    keyValueHeads: Int = 4, head: HeadKind = .energy, isOneStep: Bool = false, chunkSize: Int = 3, seed: UInt64 = 2
  ) -> ContinuousLanguageModel {
    let autoencoder = head.usesAutoencoder ? autoencoder(chunkSize: chunkSize) : nil
    var configuration = LanguageModelConfiguration(
      vocabularySize: vocabularySize, chunkSize: chunkSize, latentSize: 2 * chunkSize, hiddenSize: 32,
      intermediateSize: 48, layers: 3,
      attentionHeads: 4, keyValueHeads: keyValueHeads, head: head, headBlocks: 2)
    configuration.noiseSize = 8
    configuration.isOneStep = isOneStep
    if isOneStep && head == .tokens { configuration.shortlistSize = 4 }
    configuration.initializerRange = 0.2
    let generator = Generator(seed: seed)
    let model = ContinuousLanguageModel(configuration, autoencoder: autoencoder, generator: generator)
    withoutGradients {
      for parameter in model.namedParameters()
      where parameter.tensor.rank == 2 && parameter.tensor.equals(0).all() {
        parameter.tensor.copy(from: generator.normal(parameter.tensor.shape, deviation: 0.2))
      }
    }
    return model
  }

  /// An autoregressive Transformer with random weights.
  static func transformer() -> AutoregressiveModel {
    AutoregressiveModel(
      AutoregressiveConfiguration(
        vocabularySize: vocabularySize,
        transformer: TransformerShape(hiddenSize: 32, layers: 2, attentionHeads: 4, keyValueHeads: 2)),
      generator: Generator(seed: 3))
  }

  /// Random ids from the whole vocabulary, [rows, tokens].
  static func ids(rows: Int, tokens: Int, seed: UInt64) -> Tensor {
    Generator(seed: seed).uniform([rows, tokens], in: 0..<Double(vocabularySize)).to(.int64)
  }
}

extension ContinuousLanguageModel {
  /// The autoencoder of a model that has one.
  var knownAutoencoder: Autoencoder {
    guard let autoencoder else { preconditionFailure("a model with a head of tokens") }
    return autoencoder
  }

  /// The head of a model that samples latents.
  var latentHead: any LatentHead {
    guard let head = head as? any LatentHead else { preconditionFailure("a model with a head of tokens") }
    return head
  }
}

/// The largest difference between two tensors of the same shape.
func largestDifference(_ a: Tensor, _ b: Tensor) -> Double {
  precondition(a.shape == b.shape, "\(a.shape) and \(b.shape)")
  return (a.to(.float32) - b.to(.float32)).magnitude().elements(as: Double.self).max() ?? 0
}
