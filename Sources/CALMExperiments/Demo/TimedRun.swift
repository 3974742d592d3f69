import CALMSupport
import CALMTraining
import Foundation

/// A training run that ends at a given time, with its learning rate decayed by then.
///
/// The schedule of the learning rate needs the number of steps. It is chosen from the speed of the first seconds, and
/// corrected after half and after four fifths of the steps, because other programs may slow the machine down. Each
/// correction resumes the run from a checkpoint with a new limit of steps, as `calm train --resume --steps` does.
struct TimedRun {
  /// How long the speed is measured at first.
  private static let measuredSeconds = 3.0
  /// Steps at the start that are not measured, because memory is still being allocated.
  private static let coldSteps = 3
  /// The fractions of the steps after which their number is corrected.
  private static let corrections = [0.5, 0.8]
  /// The fewest steps, even if they take longer.
  private static let minimumSteps = 20

  /// The settings. Their number of steps is a first guess, which is replaced.
  let record: RunRecord
  /// The folder of the run.
  let folder: URL
  /// When training and the work after it have to end.
  let deadline: ContinuousClock.Instant
  /// The time of the work after it, in steps.
  var laterSteps = 0

  /// Part of a run, up to a pause or its end.
  private struct Part {
    let end: TrainingEnd
    /// The last step and the seconds of a step, if the part ended to correct the number of steps.
    var pause: (step: Int, secondsPerStep: Double)?
  }

  /// Trains until the deadline.
  ///
  /// - Parameters:
  ///   - report: called with each event and the number of steps, which is nil until it has been chosen.
  ///   - plan: called with each choice of the number of steps, and the measured seconds of a step.
  /// - Returns: ``TrainingEnd/stopped`` if `report` stopped the run.
  func train(
    report: @escaping (TrainingEvent, Int?) -> Decision, plan: (_ steps: Int, _ secondsPerStep: Double) -> Decision
  ) throws -> TrainingEnd {
    var part = try train(TrainingRun(record, in: folder), total: nil, report) { $1 >= Self.measuredSeconds }
    for fraction in Self.corrections + [1] {
      guard let (step, secondsPerStep) = part.pause else { break }
      let left = ContinuousClock.now.duration(to: deadline).seconds
      let steps = max(Self.minimumSteps, step + max(1, Int(left / secondsPerStep) - laterSteps))
      if plan(steps, secondsPerStep) == .stop { break }
      let pause = max(step + 1, Int(Double(steps) * fraction))
      part = try train(
        TrainingRun(resuming: folder, limits: ResumedLimits(steps: steps)), total: steps, report
      ) { step, _ in step >= pause }
    }
    return part.end
  }

  /// - Parameter isPause: whether to pause after a step, given its number and the seconds measured so far.
  private func train(
    _ run: TrainingRun, total: Int?, _ report: @escaping (TrainingEvent, Int?) -> Decision,
    until isPause: @escaping (Int, Double) -> Bool
  ) throws -> Part {
    var (first, last): (StepReport?, StepReport?)
    var isPaused = false
    let end = try run.train { event in
      let decision = report(event, total)
      guard case .step(let step) = event else { return decision }
      last = step
      if first == nil, step.step - run.step >= Self.coldSteps { first = step }
      if decision == .continue, let first, step.step > first.step {
        isPaused = isPause(step.step, step.seconds - first.seconds)
      }
      return isPaused ? .stop : decision
    }
    guard isPaused, end == .stopped, let first, let last else { return Part(end: end) }
    return Part(
      end: end, pause: (last.step, (last.seconds - first.seconds) / Double(last.step - first.step)))
  }
}
