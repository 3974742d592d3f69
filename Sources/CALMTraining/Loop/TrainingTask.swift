import CALM
import Foundation
import Torch

/// A model together with its loss, its evaluation and its file format, for a ``Trainer``.
public protocol TrainingTask: AnyObject {
  /// The parameters that training changes.
  var module: any Module { get }
  /// Parameters that the loss uses but training does not change; none by default.
  var frozen: [NamedParameter] { get }
  /// K.
  var chunkSize: Int { get }
  /// Whether the loss can be limited to some chunks, so that prompts are read but not predicted.
  var predictsChosenChunks: Bool { get }

  /// Converts everything that the model uses but training does not change to the compute type.
  ///
  /// - Parameter recomputingLayers: whether the backward pass recomputes the Transformer's layers, if there are any,
  ///   instead of storing their activations.
  func prepare(precision: DType, recomputingLayers: Bool)

  /// The loss of a batch or a part of one: a mean over everything that is predicted.
  ///
  /// - Parameters:
  ///   - step: the number of steps taken before this one.
  ///   - generator: the source of all random numbers.
  func loss(_ batch: TrainingBatch, step: Int, generator: Generator) -> TrainingLoss

  /// Evaluates the model on held-out sequences. All processes that share the work get the same metrics.
  func evaluate(sequences: Int, seed: UInt64, shard: EvaluationShard) throws -> [EvaluationMetric]

  /// Writes the model's folder.
  ///
  /// - Parameters:
  ///   - weights: the float32 values of the parameters by name.
  ///   - resumable: whether to include the parameters that only training uses.
  func save(to folder: URL, weights: [String: Tensor], resumable: Bool) throws
}

extension TrainingTask {
  /// None: all parameters are trained.
  public var frozen: [NamedParameter] { [] }

  /// Same as ``prepare(precision:recomputingLayers:)`` without recomputing layers.
  public func prepare(precision: DType) { prepare(precision: precision, recomputingLayers: false) }

  /// The loss if all chunks are predicted.
  public func loss(_ ids: Tensor, step: Int, generator: Generator) -> TrainingLoss {
    loss(TrainingBatch(ids: ids), step: step, generator: generator)
  }
}

/// The input of a loss.
public struct TrainingBatch {
  /// Token ids, [sequences, tokens], int64.
  public let ids: Tensor
  /// The ids of the predicted chunks and −100 elsewhere, in the same shape; nil if all chunks are predicted.
  public let labels: Tensor?

  /// Creates a batch of sequences and the labels to predict.
  public init(ids: Tensor, labels: Tensor? = nil) {
    (self.ids, self.labels) = (ids, labels)
  }
}

/// A loss and its parts.
public struct TrainingLoss {
  /// The scalar to differentiate.
  public let total: Tensor
  /// The parts by name, for the metrics.
  public let parts: [(name: String, value: Tensor)]

  /// Creates a loss with its parts.
  public init(total: Tensor, parts: [(name: String, value: Tensor)]) {
    (self.total, self.parts) = (total, parts)
  }
}
