import CALM
import CALMCorpus
import CALMSupport
import Foundation
import Torch

/// The training loop: batches in, steps down the gradient, metrics, evaluations and checkpoints out.
///
/// With one seed, precision and number of threads a run gives the same losses every time; resumed from a checkpoint it
/// goes on with those of the unbroken run, bit for bit in float32 on the CPU.
///
/// A batch is computed in parts: each process takes its rows, in as many parts as the settings say. The noise of a row
/// follows from the seed and from the number of its block among all that were drawn. So two processes, and one process
/// in two parts, take the steps of one process with the whole batch, up to the rounding of sums; no process draws more
/// than its own noise, and no generator has a state to be stored.
public final class Trainer {
  package let task: any TrainingTask
  let settings: TrainingSettings
  let loader: BatchLoader
  let group: any DataParallelGroup
  let device: Device
  private let folder: RunFolder
  /// Tells the corpora from others, in their order.
  private let data: [UInt64]
  private let optimizer: any Optimizer
  private let average: MovingAverage?
  /// Nil in a process that does not write.
  private let metrics: MetricsLog?
  private let skips: SkipLog
  private var best: TrainingState.Best?

  /// Prepares a run, or its continuation.
  ///
  /// - Parameters:
  ///   - task: what to train, its parameters in float32: fresh, or those of the checkpoint.
  ///   - corpora: what to train on, packed into blocks of the settings' length.
  ///   - checkpoint: the folder to go on from; nil begins.
  ///   - group: the processes that train together.
  ///   - willWrite: called after all checks, before any file of the run changes.
  /// - Throws: an error of the data, ``TrainingError`` for a checkpoint that does not fit, or that of `willWrite`.
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
    data = corpora.map { $0.blocks.digest }
    try Self.check(corpora, data, against: state)
    loader = try BatchLoader(
      corpora, batchSize: settings.batchSize, seed: settings.seed, rank: group.rank, worldSize: group.count,
      startingAt: state?.position)

    let precision = settings.precision.resolved(on: device)
    task.prepare(precision: precision, recomputingLayers: settings.gradientCheckpointing)
    let parameters = task.module.namedParameters()
    try group.share(parameters.map { $0.tensor.detached() })
    average = try Self.average(of: parameters, decay: settings.emaDecay, resuming: state, from: checkpoint)
    // The optimizer keeps the float32 values where the model computes in less.
    let masters = Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, $0.tensor.detached()) })
    task.module.convert(to: precision, device: device)
    optimizer = group.optimizer(
      of: task.module.namedParameters(), masters: masters, settings: settings.optimizer)
    if let state {
      do {
        try optimizer.restore(moments: state.moments, step: state.step)
      } catch {
        throw TrainingError.damagedState(checkpoint?.path ?? "", "\(error)")
      }
    }
    group.begin(task.module.namedParameters())
    best = state?.best
    try willWrite()
    skips = SkipLog(folder, total: state?.skipped ?? 0, tolerated: settings.skipLimit)
    metrics = group.rank == 0 ? try MetricsLog(folder.metricsURL, resumingAfter: state?.step ?? 0) : nil
    if group.rank == 0 { try skips.dropLaterLines() }
  }

  /// Refuses settings that the processes cannot share evenly.
  static func check(_ settings: TrainingSettings, _ group: any DataParallelGroup) throws {
    guard settings.batchSize % (group.count * settings.gradientAccumulation) == 0 else {
      throw TrainingError.unevenBatch(
        blocks: settings.batchSize, processes: group.count, parts: settings.gradientAccumulation)
    }
  }

  /// Refuses data that were prepared anew since the checkpoint was written, also where there are as many blocks.
  private static func check(_ corpora: [WeightedSequences], _ digests: [UInt64], against state: TrainingState?) throws {
    // Another number of corpora is for the loader to tell.
    guard let known = state?.data, known.count == digests.count,
      let other = digests.indices.first(where: { digests[$0] != known[$0] })
    else { return }
    throw TrainingError.otherData(corpora[other].blocks.shards[0].path.parentPath)
  }

  /// The moving average of the weights, where the settings ask for one. A checkpoint's model is the average; the weights
  /// themselves lie in its training state, and are put into the model here.
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

  /// Steps taken so far.
  public var step: Int { optimizer.step }

  /// Trains until a limit of the settings is reached, or `report` says to stop.
  ///
  /// - Returns: why it ended. The latest state is in a checkpoint either way; at a limit the model's folder is written.
  @discardableResult
  public func run(report: (TrainingEvent) -> Decision = { _ in .continue }) throws -> TrainingEnd {
    let start = ContinuousClock.now
    var (tokens, lastLine, saved, evaluated) = (0, start, optimizer.step, optimizer.step)
    // A sum over many steps hides a single one that waited long for its batch.
    var greatestWait = 0.0
    var end = optimizer.step >= total ? lastStep : nil
    while end == nil {
      var decision = Decision.continue
      func tell(_ event: TrainingEvent) { if report(event) == .stop { decision = .stop } }
      let (began, waited) = (ContinuousClock.now, loader.waitSeconds)
      let gradients = try computeGradients(step: optimizer.step)
      let norm = optimizer.gradientNorm()
      if gradients.loss.isFinite && norm.isFinite {
        skips.endRow()
        let rate = settings.schedule.rate(step: optimizer.step, of: total)
        try optimizer.update(learningRate: rate, gradientScale: settings.gradientScale(norm: norm))
        try average?.update(from: optimizer.masters, step: optimizer.step)
        tokens += tokensPerStep
        let (step, now) = (optimizer.step, ContinuousClock.now)
        greatestWait = max(greatestWait, (loader.waitSeconds - waited) / (now - began).seconds)
        let line = StepReport(
          step: step, total: total, loss: gradients.loss, parts: gradients.parts, gradientNorm: norm,
          learningRate: rate, tokensPerSecond: Double(tokens) / (now - lastLine).seconds,
          seconds: (now - start).seconds)
        tell(.step(line))
        if isDue(step, settings.logInterval) {
          try metrics?.append(step: step, figures(of: line, greatestWait: greatestWait))
          (tokens, lastLine, greatestWait) = (0, now, 0)
        }
        var isBest = false
        if isDue(step, settings.evaluationInterval) {
          isBest = try evaluate(tell)
          evaluated = step
        }
        if isBest || isDue(step, settings.checkpointInterval) {
          try saveCheckpoint(isBest: isBest, tell)
          saved = step
        }
      } else {
        optimizer.clearGradients()
        try skips.add(step: optimizer.step, loss: gradients.loss, norm: norm, gradients.batch, rank: group.rank)
        tell(.skipped(step: optimizer.step))
      }
      end = try agreedEnd(wanted: decision, seconds: start.duration(to: .now).seconds)
    }
    let wasReached = end != .stopped
    let isBest = try wasReached && evaluated < optimizer.step ? evaluate { _ = report($0) } : false
    if isBest || saved < optimizer.step { try saveCheckpoint(isBest: isBest) { _ = report($0) } }
    if wasReached {
      let weights = try weights
      if isWriter { try folder.writeModel { try task.save(to: $0, weights: weights, resumable: false) } }
    }
    return end ?? .stopped
  }

  // MARK: Limits

  /// Tokens in a step, of all processes together.
  private var tokensPerStep: Int { settings.tokensPerStep }

  /// Steps that the settings' limits of steps and tokens allow.
  public var total: Int { settings.totalSteps }

  /// Which limit the last step is.
  private var lastStep: TrainingEnd { total == settings.stepsOfTokens ? .tokens : .steps }

  /// Whether the run ends here, and why: all processes come to the same answer, whichever of them was told to stop.
  private func agreedEnd(wanted: Decision, seconds: Double) throws -> TrainingEnd? {
    let isLate = settings.maximumSeconds.map { seconds >= $0 } ?? false
    let wishes = try group.sum([wanted == .stop ? 1 : 0, isLate && isWriter ? 1 : 0])
    if optimizer.step >= total { return lastStep }
    if wishes[0] > 0 { return .stopped }
    return wishes[1] > 0 ? .time : nil
  }

  /// Steps that are multiples of an interval, and for intervals in use the last step.
  private func isDue(_ step: Int, _ interval: Int) -> Bool {
    interval > 0 && (step % interval == 0 || step == total)
  }

  // MARK: What a run writes

  private var isWriter: Bool { group.rank == 0 }

  /// The weights that are evaluated and stored as a model.
  private var weights: [String: Tensor] { get throws { try average?.values ?? optimizer.masters } }

  /// Measures the model on held-out text.
  ///
  /// - Returns: whether it is better than ever before, where the settings name the figure that says so.
  private func evaluate(_ tell: (TrainingEvent) -> Void) throws -> Bool {
    let share = EvaluationShard(rank: group.rank, count: group.count) { try self.group.sum($0) }
    func measure() throws -> [String: Double] {
      try task.evaluate(blocks: settings.evaluationBlocks, seed: settings.seed, share: share)
    }
    let figures = try average?.used(by: task.module.namedParameters(), measure) ?? measure()
    if figures.isEmpty { return false }
    try metrics?.append(step: optimizer.step, figures)
    if isWriter { tell(.evaluation(step: optimizer.step, figures: figures)) }
    guard let name = settings.bestBy, let value = figures[name], value.isFinite else { return false }
    if let best, best.figure == name, !task.isBetter(name, value, than: best.value) { return false }
    best = TrainingState.Best(figure: name, value: value, step: optimizer.step)
    return true
  }

  private func saveCheckpoint(isBest: Bool, _ tell: (TrainingEvent) -> Void) throws {
    // Together, because the optimizer's state may be spread over the processes.
    let weights = try weights
    var state = TrainingState(
      step: optimizer.step, position: loader.position, data: data, moments: try optimizer.moments)
    if average != nil { state.weights = try optimizer.masters }
    guard isWriter else { return }
    (state.best, state.skipped) = (best, skips.total)
    try folder.addCheckpoint(step: optimizer.step, kept: settings.checkpointsToKeep, isBest: isBest) { checkpoint in
      try task.save(to: checkpoint, weights: weights, resumable: true)
      try state.write(to: checkpoint)
    }
    tell(.checkpoint(step: optimizer.step, path: try folder.latestCheckpoint().path))
  }

  /// What a line of metrics says of a step.
  ///
  /// - Parameter greatestWait: the greatest share of a step's time, since the last line, that it waited for its batch.
  private func figures(of line: StepReport, greatestWait: Double) -> [String: Double] {
    var values = line.parts
    values["loss"] = line.loss
    values["gradient_norm"] = line.gradientNorm
    values["learning_rate"] = line.learningRate
    values["tokens_per_second"] = line.tokensPerSecond
    values["tokens"] = Double(line.step * tokensPerStep)
    values["seconds"] = line.seconds
    values["loader_wait_seconds"] = loader.waitSeconds
    values["loader_wait_share_max"] = greatestWait
    values.merge(group.figures) { $1 }
    if skips.total > 0 { values["skipped"] = Double(skips.total) }
    return values
  }
}
