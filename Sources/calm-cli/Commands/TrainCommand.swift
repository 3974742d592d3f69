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
      A run is a folder: run.json with every setting, metrics.jsonl, checkpoints, and at the end model/. An interruption \
      (Ctrl-C) ends it after the step in hand with a checkpoint; --resume goes on from the last one, exactly. --config reads \
      the settings from a YAML or JSON file.

      Example:
        calm train autoencoder --data data --out runs/autoencoder
        calm train calm --data data --autoencoder runs/autoencoder/model --out runs/calm
        calm train transformer --data data --out runs/transformer
        calm train calm --config run.yaml --steps 20000 --out runs/long
        calm train calm --data data --autoencoder runs/autoencoder/model --out runs/calm --processes 4 --restarts 3
      """,
    subcommands: [TrainAutoencoder.self, TrainLanguageModel.self, TrainTransformer.self])
}

/// What a training tells at its end.
struct TrainingFigures: Encodable {
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

/// Begins the run that the options describe, or takes up the one of `--resume`, and trains it.
///
/// - Parameters:
///   - label: the name of the command.
///   - usual: the settings of a new run where the options say nothing.
///   - figures: those of the evaluations, the one first that says which checkpoint is best.
///   - model: what a new run trains, given the path of its data.
func train(
  _ options: TrainingOptions, label: String, usual: TrainingSettings, figures: [String],
  model: (String) throws -> RunRecord.Model
) throws {
  if let url = try options.runToContinue() { return try resume(with: url, options, label: label) }
  if !options.printSettings, try options.processes.launch(on: options.compute.deviceName) { return }
  let compute = try options.compute.prepare(on: options.processes.ownDevice(of: options.compute.deviceName))
  let data = try options.corpora()
  let trained = try model(data[0].path)
  let record = RunRecord(
    model: trained, initialModel: options.initFrom, data: data,
    settings: try options.settings(usual, chunkSize: trained.chunkSize, figures: figures, precision: compute),
    device: compute.device, program: "calm \(calmVersion)")
  try options.check(record)
  if options.printSettings { return try printSettings(record) }
  let group = try options.processes.meet(on: compute.device)
  let run = try TrainingRun(record, in: URL(fileURLWithPath: options.out ?? ""), group: group)
  try train(run, label: label, compute: compute, group: group, report: options.report)
}

/// Takes up a run, or one of its checkpoints, and trains it.
private func resume(with url: URL, _ options: TrainingOptions, label: String) throws {
  let limits = ResumedLimits(
    steps: options.steps, maximumTokens: options.maxTokens, maximumSeconds: options.maxTime)
  let record = try TrainingRun.record(resuming: url.path, limits: limits)
  guard record.model.command == label else {
    throw InputError.otherCommand(run: url.path, command: record.model.command)
  }
  if options.printSettings { return try printSettings(record) }
  let device = options.processes.device(resuming: record)
  if try options.processes.launch(on: device) { return }
  let compute = try options.compute.prepare(
    resuming: record, on: options.processes.ownDevice(of: device), areSeveral: options.processes.areSeveral)
  let group = try options.processes.meet(on: compute.device)
  let run = try TrainingRun(resuming: url, limits: limits, device: compute.device, group: group)
  try train(run, label: label, compute: compute, group: group, report: options.report)
}

/// Prints a record as `run.json` holds it.
private func printSettings(_ record: RunRecord) throws {
  try StandardOutput.write(String(decoding: try record.encoded(), as: UTF8.self) + "\n")
}

/// Trains a run to its end under a progress bar, and tells the result. Of several processes the first shows and tells.
private func train(
  _ run: TrainingRun, label: String, compute: ComputeSetting, group: any DataParallelGroup,
  report options: ReportOptions
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
  if run.step > 0 { StandardError.note("going on after step \(run.step) of \(run.trainer.total)") }
  let reporter = TrainingReporter(label: label, total: run.trainer.total)
  let end = try run.train(report: reporter.report)
  reporter.finish()
  let figures = TrainingFigures(
    run: run.folder.url.path, model: end.isComplete ? run.folder.modelURL.path : nil, end: end,
    complete: end.isComplete,
    step: run.trainer.step, parameters: count, loss: reporter.last?.loss, parts: reporter.last?.parts ?? [:],
    evaluation: reporter.evaluation, seconds: reporter.last?.seconds)
  // A run that was at its end already has taken no step and tells no loss.
  var told = reporter.evaluation.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
  if let last = reporter.last { told.insert((name: "loss", value: last.loss), at: 0) }
  let results = told.map { ", \($0.name) \(String(format: "%.4f", $0.value))" }.joined()
  try options.print(
    figures,
    text: end.isComplete
      ? "\(run.folder.modelURL.path): \(end.remark)trained \(run.trainer.step) steps\(results)"
      : "stopped after step \(run.trainer.step); go on with: calm train \(label) --resume \(run.folder.url.path)")
  // What a shell, or whatever started the program, expects of one that ended at an interruption.
  if !end.isComplete && Interruption.isRequested { throw ExitCode(130) }
}

extension TrainingEnd {
  /// Which limit came first, where it is not the number of steps.
  fileprivate var remark: String {
    switch self {
    case .tokens: "the limit of --max-tokens is reached; "
    case .time: "the time of --max-time is up; "
    case .steps, .stopped: ""
    }
  }
}
