import CALM
import CALMCorpus
import Foundation
import Torch

/// Trains a ``ContinuousLanguageModel`` to predict the next chunk's latent.
public final class LanguageModelTask: TrainingTask {
  /// The model to train.
  public let model: ContinuousLanguageModel
  private let auxiliaryWarmupSteps: Int
  private let validation: PackedSequences?
  private let tokenizer: Data
  /// The weights of the frozen autoencoder as loaded, so that saving does not round them to the compute type.
  private var autoencoderWeights: [String: Tensor]?

  /// - Parameters:
  ///   - auxiliaryWarmupSteps: steps at the start that train the backbone on the auxiliary token loss alone. Each costs
  ///     half of a full step. The gradient of the energy score is noisy while the head is untrained; without it, the
  ///     model learns to copy a name from an earlier sentence in half the steps.
  ///   - validation: held-out sequences; nil for no evaluation.
  ///   - tokenizer: the content of `tokenizer.json`, which is saved with the model.
  public init(
    _ model: ContinuousLanguageModel, auxiliaryWarmupSteps: Int = 0, validation: PackedSequences?, tokenizer: Data
  ) {
    (self.model, self.auxiliaryWarmupSteps, self.validation, self.tokenizer) = (
      model, auxiliaryWarmupSteps, validation, tokenizer
    )
  }

  /// The language model without the frozen autoencoder.
  public var module: any Module { model }
  /// The autoencoder, if the model has one.
  public var frozen: [NamedParameter] { model.autoencoder?.namedParameters() ?? [] }
  /// K.
  public var chunkSize: Int { model.configuration.chunkSize }

  /// True: chunks that belong to a prompt are read but not predicted.
  public var predictsChosenChunks: Bool { true }

  /// Converts the frozen autoencoder to `precision`, keeping its original weights for saving, and sets whether the
  /// backward pass recomputes the Transformer's layers.
  public func prepare(precision: DType, recomputingLayers: Bool) {
    model.backbone.recomputesLayers = recomputingLayers
    autoencoderWeights = Dictionary(uniqueKeysWithValues: frozen.map { ($0.name, $0.tensor.detached()) })
    model.autoencoder?.convert(to: precision)
  }

  /// The head's loss plus the weighted auxiliary token loss; during the auxiliary warm-up the latter alone, unweighted.
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

  /// `brier_lm` with four samples per position, and `energy_score`, or `head_loss` for a head that samples tokens; empty
  /// without held-out sequences.
  ///
  /// - Throws: ``EvaluationError``, ``BrierError``, ``GenerationError``, or an error from reading the sequences or from the other processes.
  public func evaluate(sequences: Int, seed: UInt64, shard: EvaluationShard) throws -> [EvaluationMetric] {
    guard let validation else { return [] }
    let result = try model.evaluate(on: validation, sequences: sequences, samples: 4, seed: seed, shard: shard)
    let losses = [("energy_score", result.energyScore), ("head_loss", result.headLoss)]
    return [EvaluationMetric("brier_lm", result.brierLM.score, .higherIsBetter)]
      + losses.compactMap { name, value in value.map { EvaluationMetric(name, $0, .lowerIsBetter) } }
  }

  /// Writes the model, its autoencoder and its tokenizer; the layer of the auxiliary token loss only if `resumable`.
  ///
  /// - Throws: a file error.
  public func save(to folder: URL, weights: [String: Tensor], resumable: Bool) throws {
    try model.save(
      to: folder, weights: weights, autoencoderWeights: autoencoderWeights, tokenizer: tokenizer, auxiliary: resumable)
  }
}
