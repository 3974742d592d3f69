import CALM
import Foundation
import TextCorpus
import Torch

/// The training loop: batches in, steps down the gradient, metrics, evaluations and checkpoints out.
///
/// With one seed, precision and number of threads a run gives the same losses every time; resumed from a checkpoint it
/// goes on with those of the unbroken run, bit for bit in float32 on the CPU.
public final class Trainer {
  /// Steps in a row that may be left out for a loss or gradient that is not finite.
  private static let toleratedSkips = 20

  private let task: any TrainingTask
  private let settings: TrainingSettings
  private let folder: RunFolder
  private let loader: BatchLoader
  private let optimizer: AdamW
  private let generator: Generator
  private let metrics: MetricsLog
  private let device: Device

  /// Prepares a run, or its continuation.
  ///
  /// - Parameters:
  ///   - task: what to train, its parameters in float32: fresh, or those of the checkpoint.
  ///   - corpora: what to train on, packed into blocks of the settings' length.
  ///   - checkpoint: the folder to go on from; nil begins.
  /// - Throws: an error of the data, or ``TrainingError`` for a checkpoint that does not fit.
  public init(
    _ task: any TrainingTask, on corpora: [WeightedBlocks], settings: TrainingSettings, folder: RunFolder,
    resuming checkpoint: URL? = nil, device: Device = .cpu
  ) throws {
    self.task = task
    self.settings = settings
    self.folder = folder
    self.device = device
    let state = try checkpoint.map { try TrainingState(readFrom: $0) }
    loader = try BatchLoader(
      corpora, batchSize: settings.batchSize, seed: settings.seed, startingAt: state?.position)
    generator = Generator(seed: settings.seed, device: device)

    task.prepare(precision: settings.precision)
    // The optimizer keeps the float32 values where the model computes in less.
    let parameters = task.module.namedParameters()
    let masters = Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, $0.tensor.detached()) })
    task.module.convert(to: settings.precision, device: device)
    optimizer = AdamW(task.module.namedParameters(), masters: masters, settings: settings.optimizer)
    if let state {
      do {
        try optimizer.restore(moments: state.moments, step: state.step)
      } catch {
        throw TrainingError.damagedState(checkpoint?.path ?? "", "\(error)")
      }
      generator.state = state.generator
    }
    metrics = try MetricsLog(folder.metricsURL, resumingAfter: state?.step ?? 0)
  }

  /// Steps taken so far.
  public var step: Int { optimizer.step }

  /// Trains to the last step, or until `report` says to stop.
  ///
  /// - Returns: whether all steps were taken. The latest state is in a checkpoint either way, and after the last step
  ///   the model's folder is written.
  @discardableResult
  public func run(report: (TrainingEvent) -> TrainingDecision = { _ in .goOn }) throws -> Bool {
    let start = ContinuousClock.now
    var (tokens, lastLine, skipped, saved) = (0, start, 0, optimizer.step)
    var decision = TrainingDecision.goOn
    while optimizer.step < settings.steps, decision == .goOn {
      let batch = try loader.next()
      let ids = Tensor(batch.ids, shape: [batch.rows, batch.ids.count / batch.rows]).to(.int64, device: device)
      let loss = task.loss(ids, step: optimizer.step, generator: generator)
      loss.total.backward()
      let (value, norm) = (loss.total.item(), optimizer.gradientNorm())
      guard value.isFinite && norm.isFinite else {
        optimizer.clearGradients()
        skipped += 1
        if skipped > Self.toleratedSkips { throw TrainingError.notFinite(step: optimizer.step, inARow: skipped) }
        decision = report(.skipped(step: optimizer.step))
        continue
      }
      skipped = 0
      let rate = settings.schedule.rate(step: optimizer.step, of: settings.steps)
      optimizer.update(learningRate: rate, gradientScale: min(1, settings.gradientClip / norm))
      tokens += batch.ids.count

      let (step, now) = (optimizer.step, ContinuousClock.now)
      let parts = Dictionary(uniqueKeysWithValues: loss.parts.map { ($0.name, $0.value.item()) })
      let line = StepReport(
        step: step, total: settings.steps, loss: value, parts: parts, gradientNorm: norm, learningRate: rate,
        tokensPerSecond: Double(tokens) / (now - lastLine).seconds, seconds: (now - start).seconds)
      decision = report(.step(line))
      if isDue(step, settings.logInterval) {
        try metrics.append(step: step, figures(of: line))
        (tokens, lastLine) = (0, now)
      }
      if isDue(step, settings.evaluationInterval) {
        let evaluation = try task.evaluate(blocks: settings.evaluationBlocks, seed: settings.seed)
        if !evaluation.isEmpty {
          try metrics.append(step: step, evaluation)
          if report(.evaluation(step: step, figures: evaluation)) == .stop { decision = .stop }
        }
      }
      if isDue(step, settings.checkpointInterval) {
        if report(.checkpoint(step: step, path: try saveCheckpoint())) == .stop { decision = .stop }
        saved = step
      }
    }
    if saved < optimizer.step { _ = report(.checkpoint(step: optimizer.step, path: try saveCheckpoint())) }
    let complete = optimizer.step >= settings.steps
    if complete { try folder.writeModel { try task.save(to: $0, weights: optimizer.masters, resumable: false) } }
    return complete
  }

  /// Steps that are multiples of an interval, and for intervals in use the last step.
  private func isDue(_ step: Int, _ interval: Int) -> Bool {
    interval > 0 && (step % interval == 0 || step == settings.steps)
  }

  private func saveCheckpoint() throws -> String {
    let state = TrainingState(
      step: optimizer.step, position: loader.position, generator: generator.state, moments: optimizer.moments)
    try folder.addCheckpoint(step: optimizer.step, kept: settings.keptCheckpoints) { checkpoint in
      try task.save(to: checkpoint, weights: optimizer.masters, resumable: true)
      try state.write(to: checkpoint)
    }
    return try folder.latestCheckpoint().path
  }

  private func figures(of line: StepReport) -> [String: Double] {
    var values = line.parts
    values["loss"] = line.loss
    values["gradient_norm"] = line.gradientNorm
    values["learning_rate"] = line.learningRate
    values["tokens_per_second"] = line.tokensPerSecond
    values["seconds"] = line.seconds
    values["loader_wait_seconds"] = loader.waitSeconds
    return values
  }
}

extension Duration {
  /// As a number of seconds.
  package var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
