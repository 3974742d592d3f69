import CALM
import CALMCorpus
import Foundation
import Torch

/// Distills the generative head of a ``ContinuousLanguageModel`` into one that samples in one step.
///
/// The student has the backbone of its teacher. Only its head is trained.
public final class DistillationTask: TrainingTask {
  /// The student.
  public let model: ContinuousLanguageModel
  private let teacher: ContinuousLanguageModel
  private let paths: Int
  private let evaluation: LanguageModelTask

  /// - Parameters:
  ///   - student: a model with a one-step head: see ``LanguageModelConfiguration/isOneStep``.
  ///   - teacher: the model from which the student was copied.
  ///   - paths: paths of the teacher per position in each step.
  ///   - validation: held-out sequences; nil for no evaluation.
  ///   - tokenizer: the content of `tokenizer.json`, which is saved with the student.
  public init(
    _ student: ContinuousLanguageModel, from teacher: ContinuousLanguageModel, paths: Int,
    validation: PackedSequences?, tokenizer: Data
  ) {
    (model, self.teacher, self.paths) = (student, teacher, paths)
    evaluation = LanguageModelTask(student, validation: validation, tokenizer: tokenizer)
    student.trainHeadOnly()
    teacher.setTrainable(false)
  }

  /// The student; only its head is trained.
  public var module: any Module { model }
  /// The teacher and the autoencoder.
  public var frozen: [NamedParameter] { evaluation.frozen + teacher.namedParameters() }
  /// K.
  public var chunkSize: Int { model.configuration.chunkSize }
  /// False: the loss needs no labels, so it covers every chunk.
  public var predictsChosenChunks: Bool { false }

  /// Converts the teacher and the autoencoder to `precision`. No gradient passes the Transformer.
  public func prepare(precision: DType, recomputingLayers: Bool) {
    evaluation.prepare(precision: precision, recomputingLayers: false)
    teacher.convert(to: precision)
  }

  /// The distillation loss: see ``ContinuousLanguageModel/distillationLoss(_:from:samples:generator:)``. It is NaN, which
  /// the trainer skips, if the teacher's samples are not finite.
  public func loss(_ batch: TrainingBatch, step: Int, generator: Generator) -> TrainingLoss {
    guard let loss = try? model.distillationLoss(batch.ids, from: teacher, samples: paths, generator: generator) else {
      return TrainingLoss(total: Tensor.full([], .nan), parts: [])
    }
    return TrainingLoss(total: loss, parts: [("distillation", loss)])
  }

  /// The metrics of the student: see ``LanguageModelTask/evaluate(sequences:seed:shard:)``.
  public func evaluate(sequences: Int, seed: UInt64, shard: EvaluationShard) throws -> [EvaluationMetric] {
    try evaluation.evaluate(sequences: sequences, seed: seed, shard: shard)
  }

  /// Writes the student.
  public func save(to folder: URL, weights: [String: Tensor], resumable: Bool) throws {
    try evaluation.save(to: folder, weights: weights, resumable: resumable)
  }
}
