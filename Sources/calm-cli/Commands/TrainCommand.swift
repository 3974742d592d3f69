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
      A run is a folder: run.json with every setting, metrics.jsonl, checkpoints, and at the end model/. An \
      interruption (Ctrl-C) stops it with a checkpoint after the current step; --resume continues exactly from the \
      last one. --config reads the settings from a YAML or JSON file.

      Example:
        calm train autoencoder --data data --out runs/autoencoder
        calm train lm --data data --autoencoder runs/autoencoder/model --out runs/lm
        calm train transformer --data data --out runs/transformer
        calm train lm --config run.yaml --steps 20000 --out runs/long
        calm train lm --data data --autoencoder runs/autoencoder/model --out runs/lm --processes 4 --max-restarts 3
      """,
    subcommands: [TrainAutoencoder.self, TrainLanguageModel.self, TrainTransformer.self])

  /// The help that ArgumentParser answers a request with, where it is that of a training command, and its settings.
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
}

/// Trains a run under a progress bar and prints the result. Of several processes only the first prints.
func train(
  _ run: TrainingRun, label: String, compute: ComputeSetting, group: any DataParallelGroup,
  report options: OutputOptions
) throws {
  guard group.rank == 0 else {
    Interruption.watch()
    try run.train { _ in Interruption.isRequested ? .stop : .continue }
    return
  }
  let count = run.task.module.parameterCount
  let processes = group.count > 1 ? ", \(group.count) processes" : ""
  StandardError.note("\(label): \(shortCount(count)) parameters, \(compute.summary)\(processes)")
  for damage in run.damage { StandardError.note("\(damage)") }
  if run.step > 0 { StandardError.note("resuming after step \(run.step) of \(run.trainer.total)") }
  let reporter = TrainingReporter(label: label, total: run.trainer.total)
  let end = try run.train(report: reporter.report)
  reporter.finish()
  let results = TrainingResults(
    run: run.folder.url.path, model: end.isComplete ? run.folder.modelURL.path : nil, end: end,
    complete: end.isComplete,
    step: run.trainer.step, parameters: count, loss: reporter.last?.loss, parts: reporter.last?.parts ?? [:],
    evaluation: reporter.evaluation, seconds: reporter.last?.seconds)
  // A run that had already ended takes no step and has no loss.
  var metrics = reporter.evaluation.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
  if let last = reporter.last { metrics.insert((name: "loss", value: last.loss), at: 0) }
  let summary = metrics.map { ", \($0.name) \(String(format: "%.4f", $0.value))" }.joined()
  try options.print(
    results,
    text: end.isComplete
      ? "\(run.folder.modelURL.path): \(end.remark)trained \(counted(run.trainer.step, "step"))\(summary)"
      : "stopped after step \(run.trainer.step); resume with: \(run.record.kind.command) --resume \(run.folder.url.path)"
  )
  // The status that a shell expects of an interrupted program.
  if !end.isComplete && Interruption.isRequested { throw ExitCode(130) }
}

extension TrainingEnd {
  /// The limit that ended the run, unless it is the number of steps.
  fileprivate var remark: String {
    switch self {
    case .tokens: "the limit of --max-tokens is reached; "
    case .time: "the time of --max-time is up; "
    case .steps, .stopped: ""
    }
  }
}
