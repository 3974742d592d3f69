import CALMCorpus
import CALMSupport
import Foundation
import Torch

/// The loss whose gradients a step uses, and its batch.
struct StepGradients {
  /// This process's share of the batch.
  let batch: TokenBatch
  /// The mean loss of all processes and parts.
  let loss: Double
  /// The parts of the loss by name.
  let parts: [String: Double]
}

extension Trainer {
  /// The number of consecutive batches without anything to predict after which the run fails.
  private static let maxEmptyBatches = 1000

  /// Loads a batch and leaves the gradients of its mean loss, over all processes, in the parameters.
  ///
  /// If only some chunks are predicted, each part of each process is weighted by its number of predicted chunks, so that
  /// each predicted chunk of the batch has the same weight.
  ///
  /// - Parameter step: the number of steps taken before this one.
  func computeGradients(step: Int) throws -> StepGradients {
    let (loaded, batch, counts, total) = try nextBatch()
    let (parts, rows) = (settings.gradientAccumulation, batch.rows / settings.gradientAccumulation)
    let tokens = batch.ids.count / batch.rows
    var names: [String] = []
    var sums: [Double] = []
    for part in 0..<parts {
      let range = part * rows..<(part + 1) * rows
      let ids = Tensor(Array(batch.ids[range.lowerBound * tokens..<range.upperBound * tokens]), shape: [rows, tokens])
        .to(.int64, device: device)
      // A part without predicted chunks has a weight of 0; its loss may cover any chunks.
      let labels = counts[part] > 0 ? self.labels(of: batch, rows: range) : nil
      // Rows with different numbers of predicted chunks share one generator per part.
      let first = loaded + group.rank * batch.rows + range.lowerBound
      let seeds = (first..<first + rows).map { StableHash.combine(settings.seed, UInt64($0)) }
      let generator =
        labels == nil ? Generator(rows: seeds, device: device) : Generator(seed: seeds[0], device: device)
      let loss = task.loss(TrainingBatch(ids: ids, labels: labels), step: step, generator: generator)
      let weight = counts[part] / total
      if part == parts - 1 { group.expectGradients() }
      let factor = weight * Double(group.count)
      (factor == 1 ? loss.total : loss.total * factor).backward()
      let values = ([loss.total] + loss.parts.map { $0.value }).map { $0.item() * weight }
      names = loss.parts.map { $0.name }
      sums = sums.isEmpty ? values : zip(sums, values).map(+)
    }
    try group.averageGradients()
    let means = try group.sum(sums)
    return StepGradients(
      batch: batch, loss: means[0], parts: Dictionary(uniqueKeysWithValues: zip(names, means.dropFirst())))
  }

  /// Loads batches until one has something to predict.
  ///
  /// - Returns: the number of sequences loaded before the batch, the batch, the weight of each of its parts, and the
  ///   total weight of all parts of all processes.
  private func nextBatch() throws -> (loaded: Int, batch: TokenBatch, counts: [Double], total: Double) {
    let parts = settings.gradientAccumulation
    for _ in 0..<Self.maxEmptyBatches {
      let loaded = loader.position.sequencesTaken
      let batch = try loader.next()
      guard task.predictsChosenChunks, let targets = batch.targets else {
        return (loaded, batch, Array(repeating: 1, count: parts), Double(parts * group.count))
      }
      // The first chunk of a row has no context and is never predicted.
      let chunks = targets.count / batch.rows
      let perRow = (0..<batch.rows).map { row in
        Double(targets[row * chunks + 1..<(row + 1) * chunks].count { $0 })
      }
      let rows = batch.rows / parts
      let counts = (0..<parts).map { perRow[$0 * rows..<($0 + 1) * rows].reduce(0, +) }
      let total = try group.sum([counts.reduce(0, +)])[0]
      if total > 0 { return (loaded, batch, counts, total) }
    }
    throw TrainingError.nothingToPredict(batches: Self.maxEmptyBatches)
  }

  /// The ids of the predicted chunks of some rows, and −100 elsewhere; nil if all are predicted.
  private func labels(of batch: TokenBatch, rows: Range<Int>) -> Tensor? {
    guard task.predictsChosenChunks, let targets = batch.targets else { return nil }
    let (tokens, size) = (batch.ids.count / batch.rows, batch.ids.count / targets.count)
    let labels = (rows.lowerBound * tokens..<rows.upperBound * tokens).map { index in
      targets[index / size] ? Int64(batch.ids[index]) : -100
    }
    return Tensor(labels, shape: [rows.count, tokens], device: device)
  }
}
