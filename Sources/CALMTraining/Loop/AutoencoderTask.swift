import CALM
import CALMCorpus
import Foundation
import Torch

/// Trains an ``Autoencoder`` to reconstruct its chunks.
public final class AutoencoderTask: TrainingTask {
  /// The model to train.
  public let model: Autoencoder
  private let validation: PackedSequences?
  private let tokenizer: Data

  /// - Parameters:
  ///   - validation: held-out sequences; nil for no evaluation.
  ///   - tokenizer: the content of `tokenizer.json`, which is saved with the model.
  public init(_ model: Autoencoder, validation: PackedSequences?, tokenizer: Data) {
    (self.model, self.validation, self.tokenizer) = (model, validation, tokenizer)
  }

  /// The autoencoder; all its parameters are trained.
  public var module: any Module { model }
  /// K of the autoencoder.
  public var chunkSize: Int { model.configuration.chunkSize }

  /// False: an autoencoder reconstructs prompts like any other text.
  public var predictsChosenChunks: Bool { false }

  /// Does nothing: an autoencoder has no frozen part and no Transformer layers.
  public func prepare(precision: DType, recomputingLayers: Bool) {}

  /// K · cross-entropy + w · divergence over all chunks; labels are ignored.
  public func loss(_ batch: TrainingBatch, step: Int, generator: Generator) -> TrainingLoss {
    let ids = batch.ids
    let noise = AutoencoderNoise(
      chunks: ids.count / chunkSize, configuration: model.configuration, generator: generator)
    let loss = model.loss(ids, noise: noise)
    return TrainingLoss(
      total: loss.total, parts: [("cross_entropy", loss.crossEntropy), ("divergence", loss.divergence)])
  }

  /// `accuracy` and `accuracy_noise_0.3`: the fractions of tokens reconstructed from the mean latent, without noise and
  /// with noise of standard deviation 0.3; empty without held-out sequences.
  ///
  /// - Throws: an error from reading the sequences or from the other processes.
  public func evaluate(sequences: Int, seed: UInt64, shard: EvaluationShard) throws -> [EvaluationMetric] {
    guard let validation else { return [] }
    let result = try model.evaluate(on: validation, sequences: sequences, noise: [0, 0.3], seed: seed, shard: shard)
    return [
      EvaluationMetric("accuracy", result.accuracy[0].accuracy, .higherIsBetter),
      EvaluationMetric("accuracy_noise_0.3", result.accuracy[1].accuracy, .higherIsBetter),
    ]
  }

  /// Writes the model and its tokenizer; `resumable` makes no difference.
  ///
  /// - Throws: a file error.
  public func save(to folder: URL, weights: [String: Tensor], resumable: Bool) throws {
    try model.save(to: folder, weights: weights, tokenizer: tokenizer)
  }
}
