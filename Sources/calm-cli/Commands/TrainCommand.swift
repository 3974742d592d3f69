import ArgumentParser
import Foundation
import Torch
import Training

/// `calm train`.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train an autoencoder, a language model on top of it, or the baseline.",
    discussion: """
      A run is a folder: run.json with every setting, metrics.jsonl, checkpoints, and at the end model/. An interruption \
      (Ctrl-C) ends it after the step in hand with a checkpoint; --resume goes on from the last one, exactly.

      Example:
        calm train autoencoder --data data --out runs/autoencoder
        calm train calm --data data --autoencoder runs/autoencoder/model --out runs/calm
        calm train transformer --data data --out runs/transformer
      """,
    subcommands: [TrainAutoencoder.self, TrainLanguageModel.self, TrainTransformer.self])
}

/// What a training tells at its end.
struct TrainingFigures: Encodable {
  let run: String
  let model: String?
  let complete: Bool
  let step: Int
  let parameters: Int
  let loss: Double?
  let parts: [String: Double]
  let evaluation: [String: Double]
  let seconds: Double?
}

/// Begins the run that the options describe, or takes up the one of `--resume`, and trains it.
///
/// - Parameters:
///   - usual: the settings of a new run where the options say nothing.
///   - model: what a new run trains, given the path of its data.
func train(
  _ options: TrainingOptions, label: String, usual: TrainingSettings, model: (String) throws -> RunRecord.Model
) throws {
  let compute = try options.compute.prepare()
  let run: TrainingRun
  if let folder = options.resume {
    run = try TrainingRun(resuming: URL(fileURLWithPath: folder), steps: options.steps)
  } else {
    let data = options.data ?? ""
    let record = RunRecord(
      model: try model(data), initialModel: options.initFrom, data: data,
      settings: options.settings(usual, precision: compute), device: compute.device,
      program: "calm \(Calm.version)")
    run = try TrainingRun(record, in: URL(fileURLWithPath: options.output ?? ""))
  }
  try train(run, label: label, compute: compute, report: options.report)
}

/// Trains a run to its end under a progress bar, and tells the result.
private func train(_ run: TrainingRun, label: String, compute: ComputeSetting, report options: ReportOptions) throws {
  let count = run.task.module.parameterCount
  StandardError.note("\(label): \(shortCount(count)) parameters, \(compute.summary)")
  for damage in run.damage { StandardError.note("\(damage)") }
  if run.step > 0 { StandardError.note("going on after step \(run.step) of \(run.record.settings.steps)") }
  let reporter = TrainingReporter(label: label, total: run.record.settings.steps)
  let complete = try run.train(report: reporter.report)
  reporter.finish()
  let figures = TrainingFigures(
    run: run.folder.url.path, model: complete ? run.folder.modelURL.path : nil, complete: complete,
    step: run.trainer.step, parameters: count, loss: reporter.last?.loss, parts: reporter.last?.parts ?? [:],
    evaluation: reporter.evaluation, seconds: reporter.last?.seconds)
  let evaluation = reporter.evaluation.sorted { $0.key < $1.key }
    .map { ", \($0.key) \(String(format: "%.4f", $0.value))" }.joined()
  try options.print(
    figures,
    text: complete
      ? "\(run.folder.modelURL.path): trained \(run.trainer.step) steps, loss \(String(format: "%.4f", reporter.last?.loss ?? .nan))\(evaluation)"
      : "stopped after step \(run.trainer.step); go on with: calm train \(label) --resume \(run.folder.url.path)")
  // What a shell, or whatever started the program, expects of one that ended at an interruption.
  if !complete && Interruption.isRequested { throw ExitCode(130) }
}
