import CALM
import Foundation
import Torch

/// What a ``Trainer`` trains: a model, its loss, its measure of quality, and how it is stored.
public protocol TrainingTask: AnyObject {
  /// The parameters that training changes.
  var module: any Module { get }
  /// K.
  var chunkSize: Int { get }

  /// Brings what the model uses but training does not change to the type in which the model computes.
  func prepare(precision: DType)

  /// The loss of a step.
  ///
  /// - Parameters:
  ///   - ids: [blocks, tokens], int64.
  ///   - step: steps taken before this one.
  ///   - generator: for everything that the loss draws.
  func loss(_ ids: Tensor, step: Int, generator: Generator) -> TrainingLoss

  /// Figures of quality on held-out blocks, by name.
  func evaluate(blocks: Int, seed: UInt64) throws -> [String: Double]

  /// Writes the model's folder.
  ///
  /// - Parameters:
  ///   - weights: the float32 values of the parameters by name.
  ///   - resumable: whether training may go on from it; else what only training uses is left out.
  func save(to folder: URL, weights: [String: Tensor], resumable: Bool) throws
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
