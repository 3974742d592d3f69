import CALM
import CALMCorpus
import Foundation
import Torch

/// Trains an ``Autoencoder`` to give back its chunks.
public final class AutoencoderTask: TrainingTask {
  /// What is trained.
  public let model: Autoencoder
  private let validation: PackedSequences?
  private let tokenizer: Data

  /// - Parameters:
  ///   - validation: held-out blocks; nil evaluates nothing.
  ///   - tokenizer: the content of `tokenizer.json`, stored with the model.
  public init(_ model: Autoencoder, validation: PackedSequences?, tokenizer: Data) {
    (self.model, self.validation, self.tokenizer) = (model, validation, tokenizer)
  }

  /// The autoencoder, all of which is trained.
  public var module: any Module { model }
  /// K of the autoencoder.
  public var chunkSize: Int { model.configuration.chunkSize }

  /// Prompts are text like any other to an autoencoder.
  public var predictsChosenChunks: Bool { false }

  /// Does nothing: no part is frozen, and there are no layers of a Transformer.
  public func prepare(precision: DType, recomputingLayers: Bool) {}

  /// K · cross-entropy + w · divergence, of all chunks: labels are not looked at.
  public func loss(_ batch: TrainingBatch, step: Int, generator: Generator) -> TrainingLoss {
    let ids = batch.ids
    let noise = AutoencoderNoise(
      chunks: ids.count / chunkSize, configuration: model.configuration, generator: generator)
    let loss = model.loss(ids, noise: noise)
    return TrainingLoss(
      total: loss.total, parts: [("cross_entropy", loss.crossEntropy), ("divergence", loss.divergence)])
  }

  /// `accuracy` and `accuracy_noise_0.3`: the shares of tokens given back from the mean latent, without noise and with
  /// noise of deviation 0.3; empty without held-out blocks.
  ///
  /// - Throws: what reading the blocks or summing over the processes throws.
  public func evaluate(blocks: Int, seed: UInt64, share: EvaluationShard) throws -> [String: Double] {
    guard let validation else { return [:] }
    let result = try model.evaluate(on: validation, blocks: blocks, noise: [0, 0.3], seed: seed, share: share)
    return ["accuracy": result.accuracy[0].accuracy, "accuracy_noise_0.3": result.accuracy[1].accuracy]
  }

  /// Writes the model with its tokenizer; everything is kept, whether resumable or not.
  ///
  /// - Throws: a file error.
  public func save(to folder: URL, weights: [String: Tensor], resumable: Bool) throws {
    try model.save(to: folder, weights: weights, tokenizer: tokenizer)
  }
}
