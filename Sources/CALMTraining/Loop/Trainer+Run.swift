import CALM
import CALMSupport
import Foundation
import Torch

extension Trainer {
  /// Receives the events of a run and decides whether to continue.
  public typealias EventHandler = (TrainingEvent) -> Decision

  /// The bookkeeping of one call of ``run(report:)``.
  private struct Progress {
    let start = ContinuousClock.now
    /// When the last line of metrics was written, later by the time that evaluations and checkpoints have taken since:
    /// from here, the speed of training is measured.
    var speedStart: ContinuousClock.Instant
    /// Tokens since the last line.
    var tokens = 0
    /// The greatest fraction of a step since the last line that was spent waiting for its batch. A sum would hide one
    /// slow batch.
    var greatestWait = 0.0
    /// The step of the last evaluation.
    var evaluatedStep: Int
    /// The step of the last checkpoint.
    var savedStep: Int
    /// Whether the caller has asked to stop.
    var isStopRequested = false

    init(step: Int) {
      (speedStart, evaluatedStep, savedStep) = (start, step, step)
    }

    mutating func send(_ event: TrainingEvent, to report: EventHandler) {
      if report(event) == .stop { isStopRequested = true }
    }
  }

  /// Trains until a limit of the settings is reached or `report` returns `.stop`.
  ///
  /// The final state is always saved in a checkpoint. If a limit was reached, the model's folder is written too.
  ///
  /// - Returns: why training ended.
  @discardableResult
  public func run(report: EventHandler = { _ in .continue }) throws -> TrainingEnd {
    var progress = Progress(step: step)
    var processors = ProcessorShare()
    var end = step >= total ? lastStep : nil
    while end == nil {
      if let taken = try processors.observing({ try takeStep(&progress, report) }) {
        try log(taken, &progress)
        let trained = ContinuousClock.now
        let isBest = try evaluateIfDue(&progress, report)
        try saveIfDue(isBest: isBest, &progress, report)
        progress.speedStart += trained.duration(to: .now)
      }
      end = try agreedEnd(progress)
    }
    let reason = end ?? lastStep
    try finish(reason, &progress, report)
    return reason
  }

  // MARK: Steps of the loop

  /// Takes an optimizer step, or skips the batch if its loss or gradient is not finite.
  ///
  /// - Returns: the step; nil for a skipped batch.
  private func takeStep(_ progress: inout Progress, _ report: EventHandler) throws -> StepReport? {
    let (began, waited) = (ContinuousClock.now, loader.waitSeconds)
    let gradients = try computeGradients(step: step)
    let norm = optimizer.gradientNorm()
    guard gradients.loss.isFinite && norm.isFinite else {
      optimizer.clearGradients()
      try skips.add(step: step, loss: gradients.loss, norm: norm, gradients.batch, rank: group.rank)
      progress.send(.skipped(step: step), to: report)
      return nil
    }
    skips.endRow()
    let rate = settings.schedule.rate(step: step, of: total)
    try optimizer.update(learningRate: rate, gradientScale: settings.gradientScale(norm: norm))
    try average?.update(from: optimizer.masters, step: step)
    let now = ContinuousClock.now
    progress.tokens += settings.tokensPerStep
    progress.greatestWait = max(progress.greatestWait, (loader.waitSeconds - waited) / (now - began).seconds)
    let taken = StepReport(
      step: step, total: total, loss: gradients.loss, parts: gradients.parts, gradientNorm: norm, learningRate: rate,
      tokensPerSecond: Double(progress.tokens) / (now - progress.speedStart).seconds,
      seconds: (now - progress.start).seconds)
    progress.send(.step(taken), to: report)
    return taken
  }

  /// Writes a line of metrics if one is due.
  private func log(_ taken: StepReport, _ progress: inout Progress) throws {
    guard isDue(settings.logInterval) else { return }
    var values = taken.parts
    values["loss"] = taken.loss
    values["gradient_norm"] = taken.gradientNorm
    values["learning_rate"] = taken.learningRate
    values["tokens_per_second"] = taken.tokensPerSecond
    values["tokens"] = Double(taken.step * settings.tokensPerStep)
    values["seconds"] = taken.seconds
    values["loader_wait_seconds"] = loader.waitSeconds
    values["loader_wait_share_max"] = progress.greatestWait
    values.merge(group.metrics) { $1 }
    if skips.total > 0 { values["skipped"] = Double(skips.total) }
    try metrics?.append(.train, step: taken.step, values)
    (progress.tokens, progress.greatestWait) = (0, 0)
    progress.speedStart = progress.start + .seconds(taken.seconds)
  }

  /// Evaluates the model if an evaluation is due.
  ///
  /// - Returns: whether it is the best so far.
  private func evaluateIfDue(_ progress: inout Progress, _ report: EventHandler) throws -> Bool {
    try isDue(settings.evaluationInterval) && evaluate(&progress, report)
  }

  /// Writes a checkpoint if one is due or the model is the best so far.
  private func saveIfDue(isBest: Bool, _ progress: inout Progress, _ report: EventHandler) throws {
    if isBest || isDue(settings.checkpointInterval) { try saveCheckpoint(isBest: isBest, &progress, report) }
  }

  /// Writes the last checkpoint, and after a complete run evaluates and writes the model.
  private func finish(_ end: TrainingEnd, _ progress: inout Progress, _ report: EventHandler) throws {
    let isBest = try end.isComplete && progress.evaluatedStep < step && evaluate(&progress, report)
    if isBest || progress.savedStep < step { try saveCheckpoint(isBest: isBest, &progress, report) }
    guard end.isComplete else { return }
    let weights = try weights
    if isWriter { try folder.writeModel { try task.save(to: $0, weights: weights, resumable: false) } }
  }

  // MARK: Limits

  /// The limit that the last step reaches.
  private var lastStep: TrainingEnd { total == settings.stepsOfTokens ? .tokens : .steps }

  /// Whether training ends here, and why. All processes get the same answer, even if only one was asked to stop.
  private func agreedEnd(_ progress: Progress) throws -> TrainingEnd? {
    let seconds = progress.start.duration(to: .now).seconds
    let isLate = settings.maximumSeconds.map { seconds >= $0 } ?? false
    let votes = try group.sum([progress.isStopRequested ? 1 : 0, isLate && isWriter ? 1 : 0])
    if step >= total { return lastStep }
    if votes[0] > 0 { return .stopped }
    return votes[1] > 0 ? .time : nil
  }

  /// Whether the current step is a multiple of `interval`, or the last step; never for an interval of 0.
  private func isDue(_ interval: Int) -> Bool {
    interval > 0 && (step % interval == 0 || step == total)
  }

  // MARK: Evaluations and checkpoints

  /// The weights to evaluate and to save as a model.
  private var weights: [String: Tensor] { get throws { try average?.values ?? optimizer.masters } }

  /// Evaluates the model on held-out text.
  ///
  /// - Returns: whether it is the best so far by the metric that the settings name.
  private func evaluate(_ progress: inout Progress, _ report: EventHandler) throws -> Bool {
    progress.evaluatedStep = step
    let shard = EvaluationShard(rank: group.rank, count: group.count) { try self.group.sum($0) }
    func measure() throws -> [EvaluationMetric] {
      try task.evaluate(sequences: settings.evaluationSequences, seed: settings.seed, shard: shard)
    }
    let results = try average?.used(by: task.module.namedParameters(), measure) ?? measure()
    if results.isEmpty { return false }
    let values = Dictionary(uniqueKeysWithValues: results.map { ($0.name, $0.value) })
    try metrics?.append(.evaluation, step: step, values)
    if isWriter { progress.send(.evaluation(step: step, metrics: values), to: report) }
    guard let metric = results.first(where: { $0.name == settings.bestMetric }), metric.value.isFinite else {
      return false
    }
    if let best, best.metric == metric.name, !metric.isBetter(than: best.value) { return false }
    best = TrainingState.Best(metric: metric.name, value: metric.value, step: step)
    return true
  }

  private func saveCheckpoint(isBest: Bool, _ progress: inout Progress, _ report: EventHandler) throws {
    progress.savedStep = step
    // All processes take part, because the optimizer's state may be sharded.
    let weights = try weights
    var state = TrainingState(
      step: step, position: loader.position, data: dataDigests, moments: try optimizer.moments)
    if average != nil { state.weights = try optimizer.masters }
    guard isWriter else { return }
    (state.best, state.skipped) = (best, skips.total)
    try folder.addCheckpoint(step: step, keeping: settings.checkpointsToKeep, isBest: isBest) { checkpoint in
      try task.save(to: checkpoint, weights: weights, resumable: true)
      try state.write(to: checkpoint)
    }
    progress.send(.checkpoint(step: step, path: try folder.latestCheckpoint().path), to: report)
  }
}
