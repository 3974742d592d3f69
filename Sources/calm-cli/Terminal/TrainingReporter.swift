import CALMSupport
import CALMTerminal
import CALMTraining
import Foundation

/// Shows the progress of a training run on the terminal. An interruption stops the run after the current step.
final class TrainingReporter {
  private let bar: ProgressBar
  private let isQuiet: Bool
  /// The report of the last step.
  private(set) var last: StepReport?
  /// The metrics of the last evaluation.
  private(set) var evaluation: [String: Double] = [:]

  /// - Parameters:
  ///   - label: the name of the run or model.
  ///   - total: the number of steps of the whole run; nil if unknown.
  ///   - isQuiet: whether to print no lines for evaluations and checkpoints.
  init(label: String, total: Int?, isQuiet: Bool = false) {
    bar = ProgressBar(label: label, total: total)
    self.isQuiet = isQuiet
    Interruption.watch()
  }

  /// The callback for the trainer.
  func report(_ event: TrainingEvent) -> Decision {
    switch event {
    case .step(let step):
      last = step
      bar.update(completed: step.step, detail: Self.detail(step))
    case .evaluation(let step, let metrics):
      evaluation = metrics
      let text = metrics.sorted { $0.key < $1.key }.map { "\($0.key) \(String(format: "%.4f", $0.value))" }
      if !isQuiet { bar.note("step \(step): \(text.joined(separator: ", "))") }
    case .checkpoint(let step, let path):
      if !isQuiet { bar.note("step \(step): checkpoint \(path)") }
    case .skipped(let step):
      bar.note("step \(step): the loss was not finite; skipped the batch")
    }
    return Interruption.isRequested ? .stop : .continue
  }

  /// Removes the progress bar and prints `line`.
  func finish(_ line: String? = nil) {
    bar.finish(line)
  }

  private static func detail(_ step: StepReport) -> String {
    let parts = step.parts.sorted { $0.key < $1.key }.map { "\($0.key) \(String(format: "%.3f", $0.value))" }
    return
      (["loss \(String(format: "%.3f", step.loss))"] + parts + ["\(shortCount(Int(step.tokensPerSecond))) tokens/s"])
      .joined(separator: ", ")
  }
}
