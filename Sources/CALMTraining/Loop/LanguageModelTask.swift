import CALM
import CALMCorpus
import Foundation
import Torch

/// Trains a ``ContinuousLanguageModel`` to predict the next chunk's latent.
public final class LanguageModelTask: TrainingTask {
  /// What is trained.
  public let model: ContinuousLanguageModel
  private let auxiliaryWarmupSteps: Int
  private let validation: PackedSequences?
  private let tokenizer: Data
  /// The frozen autoencoder as it was loaded: what is stored must not be rounded to the type of computing.
  private var autoencoderWeights: [String: Tensor]?

  /// - Parameters:
  ///   - auxiliaryWarmupSteps: steps at the beginning in which the backbone learns from the auxiliary token loss alone. They cost half
  ///     of a whole step, and the energy score, whose gradient is noisy while the head knows nothing, does not disturb
  ///     them: copying a name from an earlier sentence is learned in half the steps.
  ///   - validation: held-out blocks; nil evaluates nothing.
  ///   - tokenizer: the content of `tokenizer.json`, stored with the model.
  public init(
    _ model: ContinuousLanguageModel, auxiliaryWarmupSteps: Int = 0, validation: PackedSequences?, tokenizer: Data
  ) {
    (self.model, self.auxiliaryWarmupSteps, self.validation, self.tokenizer) = (
      model, auxiliaryWarmupSteps, validation, tokenizer
    )
  }

  /// The language model without its frozen autoencoder.
  public var module: any Module { model }
  /// The autoencoder.
  public var frozen: [NamedParameter] { model.autoencoder.namedParameters() }
  /// K of the language model and its autoencoder.
  public var chunkSize: Int { model.configuration.chunkSize }

  /// Chunks of prompts alone are seen and not predicted.
  public var predictsChosenChunks: Bool { true }

  /// Brings the frozen autoencoder to `precision`, keeping its own weights for the files, and tells the Transformer
  /// whether its layers are computed again in the backward pass.
  public func prepare(precision: DType, recomputingLayers: Bool) {
    model.backbone.recomputesLayers = recomputingLayers
    autoencoderWeights = Dictionary(
      uniqueKeysWithValues: model.autoencoder.namedParameters().map { ($0.name, $0.tensor.detached()) })
    model.autoencoder.convert(to: precision)
  }

  /// The head's loss plus the weighted auxiliary token loss; in the lead-in the latter alone, with a weight of 1.
  public func loss(_ batch: TrainingBatch, step: Int, generator: Generator) -> TrainingLoss {
    if step < auxiliaryWarmupSteps,
      let auxiliary = model.auxiliaryLoss(batch.ids, labels: batch.labels, generator: generator)
    {
      return TrainingLoss(total: auxiliary, parts: [("auxiliary", auxiliary)])
    }
    let loss = model.loss(batch.ids, labels: batch.labels, generator: generator)
    return TrainingLoss(
      total: loss.total,
      parts: [(model.configuration.head.rawValue, loss.head)] + (loss.auxiliary.map { [("auxiliary", $0)] } ?? []))
  }

  /// `brier_lm`, from four samples per position, and `energy_score`, whatever the head is; empty without held-out
  /// blocks.
  ///
  /// - Throws: ``EvaluationError``, ``BrierError``, and what reading the blocks or summing over the processes throws.
  public func evaluate(blocks: Int, seed: UInt64, share: EvaluationShard) throws -> [String: Double] {
    guard let validation else { return [:] }
    let result = try model.evaluate(on: validation, blocks: blocks, samples: 4, seed: seed, share: share)
    return ["brier_lm": result.brierLM.score, "energy_score": result.energyScore]
  }

  /// Writes the model with its autoencoder and tokenizer; only where resumable with the auxiliary token loss's layer.
  ///
  /// - Throws: a file error.
  public func save(to folder: URL, weights: [String: Tensor], resumable: Bool) throws {
    try model.save(
      to: folder, weights: weights, autoencoderWeights: autoencoderWeights, tokenizer: tokenizer, auxiliary: resumable)
  }
}
