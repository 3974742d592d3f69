import CALM
import CALMCorpus
import Foundation
import Torch

/// Trains an ``AutoregressiveModel`` to predict the next token.
public final class AutoregressiveTask: TrainingTask {
  /// What is trained.
  public let model: AutoregressiveModel
  private let validation: PackedSequences?
  private let tokenizer: Data

  /// - Parameters:
  ///   - validation: held-out blocks; nil evaluates nothing.
  ///   - tokenizer: the content of `tokenizer.json`, stored with the model.
  public init(_ model: AutoregressiveModel, validation: PackedSequences?, tokenizer: Data) {
    (self.model, self.validation, self.tokenizer) = (model, validation, tokenizer)
  }

  /// The Transformer, all of which is trained.
  public var module: any Module { model }
  /// 1: each token is a chunk of its own.
  public var chunkSize: Int { 1 }

  /// Tokens of prompts are seen and not predicted.
  public var predictsChosenChunks: Bool { true }

  /// Tells the Transformer whether its layers are computed again in the backward pass.
  public func prepare(precision: DType, recomputingLayers: Bool) {
    model.backbone.recomputesLayers = recomputingLayers
  }

  /// The cross-entropy of the next token in nats, alone; nothing is drawn.
  public func loss(_ batch: TrainingBatch, step: Int, generator: Generator) -> TrainingLoss {
    TrainingLoss(total: batch.labels.map { model.loss(batch.ids, labels: $0) } ?? model.loss(batch.ids), parts: [])
  }

  /// `brier_lm`, `cross_entropy` and `perplexity`; empty without held-out blocks.
  ///
  /// - Throws: ``EvaluationError``, ``BrierError``, and what reading the blocks or summing over the processes throws.
  public func evaluate(blocks: Int, seed: UInt64, share: EvaluationShard) throws -> [String: Double] {
    guard let validation else { return [:] }
    let result = try model.evaluate(on: validation, blocks: blocks, seed: seed, share: share)
    return ["brier_lm": result.brierLM.score, "cross_entropy": result.crossEntropy, "perplexity": result.perplexity]
  }

  /// Writes the model with its tokenizer; everything is kept, whether resumable or not.
  ///
  /// - Throws: a file error.
  public func save(to folder: URL, weights: [String: Tensor], resumable: Bool) throws {
    try model.save(to: folder, weights: weights, tokenizer: tokenizer)
  }
}
