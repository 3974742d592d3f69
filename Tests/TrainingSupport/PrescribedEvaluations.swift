import CALM
import CALMTraining
import Foundation
import Torch

/// A task with prescribed evaluation results.
package final class PrescribedEvaluations: TrainingTask {
  private let task: any TrainingTask
  private var evaluations: [[EvaluationMetric]]

  package init(of task: any TrainingTask, _ evaluations: [[EvaluationMetric]]) {
    (self.task, self.evaluations) = (task, evaluations)
  }

  package var module: any Module { task.module }
  package var chunkSize: Int { task.chunkSize }
  package var predictsChosenChunks: Bool { task.predictsChosenChunks }

  package func prepare(precision: DType, recomputingLayers: Bool) {
    task.prepare(precision: precision, recomputingLayers: recomputingLayers)
  }

  package func loss(_ batch: TrainingBatch, step: Int, generator: Generator) -> TrainingLoss {
    task.loss(batch, step: step, generator: generator)
  }

  package func evaluate(sequences: Int, seed: UInt64, shard: EvaluationShard) throws -> [EvaluationMetric] {
    evaluations.removeFirst()
  }

  package func save(to folder: URL, weights: [String: Tensor], resumable: Bool) throws {
    try task.save(to: folder, weights: weights, resumable: resumable)
  }
}
