import CALMCorpus
import CALMSupport
import Foundation
import Torch

/// What the gradients of a step were computed from and came with.
struct StepGradients {
  /// This process's share of the batch.
  let batch: TokenBatch
  /// The mean loss of all processes and parts.
  let loss: Double
  /// What it is made of, by name.
  let parts: [String: Double]
}

extension Trainer {
  /// Batches in a row that may have nothing to predict before the run ends.
  private static let emptyBatches = 1000

  /// Draws a batch and leaves the gradients of its mean loss, over all processes, in the parameters.
  ///
  /// Where only some chunks are predicted, every part and process counts by how many of them it has, so that each
  /// predicted chunk of the batch has the same weight.
  ///
  /// - Parameter step: steps taken before.
  func computeGradients(step: Int) throws -> StepGradients {
    let (drawn, batch, counts, total) = try nextBatch()
    let (parts, rows) = (settings.gradientAccumulation, batch.rows / settings.gradientAccumulation)
    let tokens = batch.ids.count / batch.rows
    var names: [String] = []
    var sums: [Double] = []
    for part in 0..<parts {
      let range = part * rows..<(part + 1) * rows
      let ids = Tensor(Array(batch.ids[range.lowerBound * tokens..<range.upperBound * tokens]), shape: [rows, tokens])
        .to(.int64, device: device)
      // A part without predicted chunks has a weight of 0, so it does not matter what its loss is taken of.
      let labels = counts[part] > 0 ? self.labels(of: batch, rows: range) : nil
      // Where only some chunks are predicted, rows have different numbers of them, and the noise is the part's.
      let first = drawn + group.rank * batch.rows + range.lowerBound
      let seeds = (first..<first + rows).map { StableHash.combine(settings.seed, UInt64($0)) }
      let generator =
        labels == nil ? Generator(rows: seeds, device: device) : Generator(seed: seeds[0], device: device)
      let loss = task.loss(TrainingBatch(ids: ids, labels: labels), step: step, generator: generator)
      let weight = counts[part] / total
      if part == parts - 1 { group.expectGradients() }
      let factor = weight * Double(group.count)
      (factor == 1 ? loss.total : loss.total * factor).backward()
      let figures = ([loss.total] + loss.parts.map { $0.value }).map { $0.item() * weight }
      names = loss.parts.map { $0.name }
      sums = sums.isEmpty ? figures : zip(sums, figures).map(+)
    }
    try group.averageGradients()
    let means = try group.sum(sums)
    return StepGradients(
      batch: batch, loss: means[0], parts: Dictionary(uniqueKeysWithValues: zip(names, means.dropFirst())))
  }

  /// Draws until there is something to predict.
  ///
  /// - Returns: the blocks drawn before the batch; the batch; the weight of each part; and that of all parts of all
  ///   processes together.
  private func nextBatch() throws -> (drawn: Int, batch: TokenBatch, counts: [Double], total: Double) {
    let parts = settings.gradientAccumulation
    for _ in 0..<Self.emptyBatches {
      let drawn = loader.position.drawn
      let batch = try loader.next()
      guard task.predictsChosenChunks, let targets = batch.targets else {
        return (drawn, batch, Array(repeating: 1, count: parts), Double(parts * group.count))
      }
      // The first chunk of a row has nothing before it, and is never predicted.
      let chunks = targets.count / batch.rows
      let perRow = (0..<batch.rows).map { row in
        Double(targets[row * chunks + 1..<(row + 1) * chunks].count { $0 })
      }
      let rows = batch.rows / parts
      let counts = (0..<parts).map { perRow[$0 * rows..<($0 + 1) * rows].reduce(0, +) }
      let total = try group.sum([counts.reduce(0, +)])[0]
      if total > 0 { return (drawn, batch, counts, total) }
    }
    throw TrainingError.nothingToPredict(batches: Self.emptyBatches)
  }

  /// The ids of the predicted chunks of some rows, −100 elsewhere; nil where all are predicted.
  private func labels(of batch: TokenBatch, rows: Range<Int>) -> Tensor? {
    guard task.predictsChosenChunks, let targets = batch.targets else { return nil }
    let (tokens, size) = (batch.ids.count / batch.rows, batch.ids.count / targets.count)
    let labels = (rows.lowerBound * tokens..<rows.upperBound * tokens).map { index in
      targets[index / size] ? Int64(batch.ids[index]) : -100
    }
    return Tensor(labels, shape: [rows.count, tokens], device: device)
  }
}
