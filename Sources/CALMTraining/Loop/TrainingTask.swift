import CALM
import Foundation
import Torch

/// What a ``Trainer`` trains: a model, its loss, its measure of quality, and how it is stored.
public protocol TrainingTask: AnyObject {
  /// The parameters that training changes.
  var module: any Module { get }
  /// Parameters that the loss uses and training does not change; by default none.
  var frozen: [NamedParameter] { get }
  /// K.
  var chunkSize: Int { get }
  /// Whether the loss can be of some chunks alone: prompts are seen, and not predicted.
  var predictsChosenChunks: Bool { get }

  /// Brings what the model uses but training does not change to the type in which the model computes.
  ///
  /// - Parameter recomputingLayers: whether the backward pass computes the Transformer's layers again, where there are
  ///   some, instead of keeping what they computed.
  func prepare(precision: DType, recomputingLayers: Bool)

  /// The loss of a step, or of a part of one: a mean over what is predicted.
  ///
  /// - Parameters:
  ///   - step: steps taken before this one.
  ///   - generator: for everything that the loss draws.
  func loss(_ batch: TrainingBatch, step: Int, generator: Generator) -> TrainingLoss

  /// Figures of quality on held-out blocks, by name: the same in all processes that share the work.
  func evaluate(blocks: Int, seed: UInt64, share: EvaluationShard) throws -> [String: Double]

  /// Writes the model's folder.
  ///
  /// - Parameters:
  ///   - weights: the float32 values of the parameters by name.
  ///   - resumable: whether training may go on from it; else what only training uses is left out.
  func save(to folder: URL, weights: [String: Tensor], resumable: Bool) throws
}

extension TrainingTask {
  /// None: everything is trained.
  public var frozen: [NamedParameter] { [] }

  /// As ``prepare(precision:recomputingLayers:)``, keeping what layers compute.
  public func prepare(precision: DType) { prepare(precision: precision, recomputingLayers: false) }

  /// The loss where all chunks are predicted.
  public func loss(_ ids: Tensor, step: Int, generator: Generator) -> TrainingLoss {
    loss(TrainingBatch(ids: ids), step: step, generator: generator)
  }

  /// Whether a figure of ``evaluate(blocks:seed:share:)`` is better than another: losses fall, all else rises.
  func isBetter(_ name: String, _ value: Double, than other: Double) -> Bool {
    ["energy_score", "cross_entropy", "perplexity"].contains(name) ? value < other : value > other
  }
}

/// What a loss is computed on.
public struct TrainingBatch {
  /// Token ids, [blocks, tokens], int64.
  public let ids: Tensor
  /// Of the same shape: the ids of the chunks that are predicted, −100 elsewhere; nil where all are.
  public let labels: Tensor?

  /// Blocks with what is to be predicted of them.
  public init(ids: Tensor, labels: Tensor? = nil) {
    (self.ids, self.labels) = (ids, labels)
  }
}

/// The loss of a step and the figures that make it up.
public struct TrainingLoss {
  /// What is differentiated: a scalar.
  public let total: Tensor
  /// For the metrics, by name.
  public let parts: [(name: String, value: Tensor)]

  /// A loss with its parts.
  public init(total: Tensor, parts: [(name: String, value: Tensor)]) {
    (self.total, self.parts) = (total, parts)
  }
}
