import CALM
import CALMCorpus
import Foundation
import Torch

/// Trains an ``AutoregressiveModel`` to predict the next token.
public final class AutoregressiveTask: TrainingTask {
  /// The model to train.
  public let model: AutoregressiveModel
  private let validation: PackedSequences?
  private let tokenizer: Data

  /// - Parameters:
  ///   - validation: held-out sequences; nil for no evaluation.
  ///   - tokenizer: the content of `tokenizer.json`, which is saved with the model.
  public init(_ model: AutoregressiveModel, validation: PackedSequences?, tokenizer: Data) {
    (self.model, self.validation, self.tokenizer) = (model, validation, tokenizer)
  }

  /// The Transformer; all its parameters are trained.
  public var module: any Module { model }
  /// 1: each token is a chunk.
  public var chunkSize: Int { 1 }

  /// True: prompt tokens are read but not predicted.
  public var predictsChosenChunks: Bool { true }

  /// Sets whether the backward pass recomputes the Transformer's layers.
  public func prepare(precision: DType, recomputingLayers: Bool) {
    model.backbone.recomputesLayers = recomputingLayers
  }

  /// The cross-entropy of the next token in nats. Uses no random numbers.
  public func loss(_ batch: TrainingBatch, step: Int, generator: Generator) -> TrainingLoss {
    TrainingLoss(total: batch.labels.map { model.loss(batch.ids, labels: $0) } ?? model.loss(batch.ids), parts: [])
  }

  /// `brier_lm`, `cross_entropy` and `perplexity`; empty without held-out sequences.
  ///
  /// - Throws: ``EvaluationError``, ``BrierError``, or an error from reading the sequences or from the other processes.
  public func evaluate(sequences: Int, seed: UInt64, shard: EvaluationShard) throws -> [EvaluationMetric] {
    guard let validation else { return [] }
    let result = try model.evaluate(on: validation, sequences: sequences, seed: seed, shard: shard)
    return [
      EvaluationMetric("brier_lm", result.brierLM.score, .higherIsBetter),
      EvaluationMetric("cross_entropy", result.crossEntropy, .lowerIsBetter),
      EvaluationMetric("perplexity", result.perplexity, .lowerIsBetter),
    ]
  }

  /// Writes the model and its tokenizer; `resumable` makes no difference.
  ///
  /// - Throws: a file error.
  public func save(to folder: URL, weights: [String: Tensor], resumable: Bool) throws {
    try model.save(to: folder, weights: weights, tokenizer: tokenizer)
  }
}
