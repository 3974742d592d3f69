import CALM
import CALMCorpus
import CALMSupport
import Foundation
import Torch

/// The training loop: takes optimizer steps, and writes metrics and checkpoints.
///
/// A run is deterministic for a given seed, precision and number of threads. A run resumed from a checkpoint has the same
/// losses as an uninterrupted one, bit for bit in float32 on the CPU.
///
/// A batch is computed in parts: each process takes its rows and splits them as ``TrainingSettings/gradientAccumulation``
/// says. The noise of a row depends only on the seed and on the row's number among all rows of the run. Two processes, or
/// one process with two parts, therefore take the same steps as one process with the whole batch, up to rounding. No
/// process generates noise for rows of another, and no generator state is stored.
public final class Trainer {
  package let task: any TrainingTask
  let settings: TrainingSettings
  let loader: BatchLoader
  let group: any DataParallelGroup
  let device: Device
  let folder: RunFolder
  /// The digests of the corpora, in order.
  let dataDigests: [UInt64]
  let optimizer: any Optimizer
  let average: MovingAverage?
  /// Nil except in the process that writes the files.
  let metrics: MetricsLog?
  let skips: SkipLog
  var best: TrainingState.Best?

  /// Prepares a new run or resumes one.
  ///
  /// - Parameters:
  ///   - task: the model to train, with float32 parameters: initial ones, or those of `checkpoint`.
  ///   - corpora: the training data, packed into sequences of the settings' length.
  ///   - checkpoint: the folder of the checkpoint to resume from; nil for a new run.
  ///   - group: the processes that train together.
  ///   - willWrite: called after all checks, before any file of the run changes.
  /// - Throws: an error of the data, ``TrainingError`` for a checkpoint that does not fit, or an error from `willWrite`.
  public init(
    _ task: any TrainingTask, on corpora: [WeightedSequences], settings: TrainingSettings, folder: RunFolder,
    resuming checkpoint: URL? = nil, device: Device = .cpu, group: any DataParallelGroup = SingleProcess(),
    willWrite: () throws -> Void = {}
  ) throws {
    self.task = task
    self.settings = settings
    self.folder = folder
    self.device = device
    self.group = group
    try Self.check(settings, group)
    let state = try checkpoint.map { try TrainingState(readFrom: $0) }
    if group.count > 1 {
      try ProcessAgreement(of: task, on: corpora, settings: settings, resuming: state).check(among: group)
    }
    dataDigests = corpora.map { $0.sequences.digest }
    try Self.check(corpora, dataDigests, against: state)
    loader = try BatchLoader(
      corpora, batchSize: settings.batchSize, seed: settings.seed, rank: group.rank, worldSize: group.count,
      startingAt: state?.position)

    let precision = settings.precision.resolved(on: device)
    task.prepare(precision: precision, recomputingLayers: settings.gradientCheckpointing)
    let parameters = task.module.namedParameters()
    try group.share(parameters.map { $0.tensor.detached() })
    average = try Self.average(of: parameters, decay: settings.emaDecay, resuming: state, from: checkpoint)
    // The optimizer keeps float32 values even if the model computes in a narrower type.
    let masters = Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, $0.tensor.detached()) })
    task.module.convert(to: precision, device: device)
    let converted = task.module.namedParameters()
    optimizer = group.optimizer(of: converted, masters: masters, settings: settings.optimizer)
    try Self.restore(optimizer, from: state, of: checkpoint)
    group.begin(converted)
    best = state?.best
    try willWrite()
    skips = SkipLog(folder, total: state?.skipped ?? 0, limit: settings.skipLimit)
    metrics = group.rank == 0 ? try MetricsLog(folder.metricsURL, resumingAfter: state?.step ?? 0) : nil
    if isWriter { try skips.removeLaterLines() }
  }

  /// Steps taken so far.
  public var step: Int { optimizer.step }

  /// Steps that the limits of steps and tokens allow.
  public var total: Int { settings.totalSteps }

  /// Whether this process writes the files of the run.
  var isWriter: Bool { group.rank == 0 }

  // MARK: Checks

  /// Checks that the batch can be split evenly among the processes and their parts.
  static func check(_ settings: TrainingSettings, _ group: any DataParallelGroup) throws {
    guard settings.batchSize % (group.count * settings.gradientAccumulation) == 0 else {
      throw TrainingError.unevenBatch(
        sequences: settings.batchSize, processes: group.count, parts: settings.gradientAccumulation)
    }
  }

  /// Checks that the content of each corpus is the same as when the checkpoint was written.
  private static func check(_ corpora: [WeightedSequences], _ digests: [UInt64], against state: TrainingState?) throws {
    // The loader reports a different number of corpora.
    guard let known = state?.data, known.count == digests.count,
      let other = digests.indices.first(where: { digests[$0] != known[$0] })
    else { return }
    throw TrainingError.otherData(corpora[other].sequences.shards[0].path.parentPath)
  }

  // MARK: Restoring a checkpoint

  private static func restore(_ optimizer: any Optimizer, from state: TrainingState?, of checkpoint: URL?) throws {
    guard let state else { return }
    do {
      try optimizer.restore(moments: state.moments, step: state.step)
    } catch {
      throw TrainingError.damagedState(checkpoint?.path ?? "", "\(error)")
    }
  }

  /// The moving average of the weights, if the settings ask for one. The model of a checkpoint is the average; this puts
  /// the weights themselves, which are part of the training state, into the model.
  private static func average(
    of parameters: [NamedParameter], decay: Double?, resuming state: TrainingState?, from checkpoint: URL?
  ) throws -> MovingAverage? {
    guard let decay else { return nil }
    let trained = parameters.filter { $0.tensor.requiresGradient }
    let average = MovingAverage(
      of: Dictionary(uniqueKeysWithValues: trained.map { ($0.name, $0.tensor) }), decay: decay)
    if let state {
      for parameter in trained {
        guard let weights = state.weights[parameter.name], weights.shape == parameter.tensor.shape else {
          throw TrainingError.damagedState(
            checkpoint?.path ?? "", "the training state has no weights of the shape of '\(parameter.name)'")
        }
        withoutGradients { parameter.tensor.detached().copy(from: weights) }
      }
    }
    return average
  }
}
