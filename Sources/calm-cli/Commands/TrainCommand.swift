import ArgumentParser
import CALMSupport
import CALMTerminal
import CALMTraining
import Foundation
import Torch

/// `calm train`.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train an autoencoder, a language model on top of it, or the baseline.",
    discussion: """
      A run is a folder that contains run.json with all settings, metrics.jsonl, checkpoints, and at the end model/. \
      After an interruption (Ctrl-C) it finishes the current step, writes a checkpoint and stops; --resume continues \
      exactly from the last checkpoint. --config reads the settings from a YAML or JSON file.

      Example:
        calm train autoencoder --data data --out runs/autoencoder
        calm train lm --data data --autoencoder runs/autoencoder/model --out runs/lm
        calm train transformer --data data --out runs/transformer
        calm train lm --config run.yaml --steps 20000 --out runs/long
        calm train lm --data data --autoencoder runs/autoencoder/model --out runs/lm --processes 4 --max-restarts 3
      """,
    subcommands: [TrainAutoencoder.self, TrainLanguageModel.self, TrainTransformer.self])

  /// The help text if `request` asks for the help of a training command: ArgumentParser's help, and the command's
  /// settings.
  static func help(for request: any Error) -> String? {
    let help = Calm.fullMessage(for: request)
    let commands = configuration.subcommands.compactMap { $0 as? any TrainingCommand.Type }
    return commands.first { Calm.helpMessage(for: $0) == help }.map { help + "\n" + $0.settingsHelp }
  }
}

/// The results that `calm train` prints at the end of a run.
struct TrainingResults: Encodable {
  let run: String
  let model: String?
  let end: TrainingEnd
  let complete: Bool
  let step: Int
  let parameters: Int
  let loss: Double?
  let parts: [String: Double]
  let evaluation: [String: Double]
  let seconds: Double?

  /// One line. A run that had already ended takes no step, so it has no loss.
  func text(command: String) -> String {
    if !complete { return "stopped after step \(step); resume with: \(command) --resume \(run)" }
    var metrics = evaluation.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    if let loss { metrics.insert((name: "loss", value: loss), at: 0) }
    let summary = metrics.map { ", \($0.name) \(String(format: "%.4f", $0.value))" }.joined()
    return "\(model ?? run): \(end.remark)trained \(counted(step, "step"))\(summary)"
  }
}

/// Trains a run and shows its progress.
///
/// - Returns: why training ended, and the results; nil in all processes of a group except the first, which show nothing.
func trainWithProgress(
  _ run: TrainingRun, compute: ComputeSetting, group: any DataParallelGroup
) throws -> (end: TrainingEnd, results: TrainingResults?) {
  guard group.rank == 0 else {
    Interruption.watch()
    return (try run.train { _ in Interruption.isRequested ? .stop : .continue }, nil)
  }
  let (label, count) = (run.record.kind.rawValue, run.task.module.parameterCount)
  let processes = group.count > 1 ? ", \(group.count) processes" : ""
  StandardError.note("\(label): \(shortCount(count)) parameters, \(compute.summary)\(processes)")
  for damage in run.damage { StandardError.note("\(damage)") }
  if run.step > 0 { StandardError.note("resuming after step \(run.step) of \(run.trainer.total)") }
  let reporter = TrainingReporter(label: label, total: run.trainer.total)
  let end = try run.train(report: reporter.report)
  reporter.finish()
  let results = TrainingResults(
    run: run.folder.url.path, model: end.isComplete ? run.folder.modelURL.path : nil, end: end,
    complete: end.isComplete, step: run.trainer.step, parameters: count, loss: reporter.last?.loss,
    parts: reporter.last?.parts ?? [:], evaluation: reporter.evaluation, seconds: reporter.last?.seconds)
  return (end, results)
}

extension TrainingEnd {
  /// The limit that ended the run, unless it is the number of steps.
  fileprivate var remark: String {
    switch self {
    case .tokens: "reached the limit of --max-tokens; "
    case .time: "reached the limit of --max-time; "
    case .steps, .stopped: ""
    }
  }
}
