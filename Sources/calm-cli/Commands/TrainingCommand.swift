import ArgumentParser
import CALM
import CALMCorpus
import CALMSupport
import CALMTerminal
import CALMTraining
import Foundation
import Torch

/// A command that trains a model: `calm distill` or a subcommand of `calm train`.
protocol TrainingCommand: ParsableCommand {
  /// The type of the run's settings.
  associatedtype Settings: RunSettings
  /// The arguments.
  var options: TrainOptions { get }
}

/// The request that the arguments of a training command express.
private struct RunRequest<Settings: RunSettings> {
  let given: GivenSettings
  let launch: LaunchSettings
  /// The run to resume; nil for a new one.
  let resumed: URL?
  /// The settings of a new run.
  let settings: Settings
}

extension TrainingCommand {
  /// Help for the settings, which ArgumentParser does not know.
  static var settingsHelp: String { LaunchSettings.help() + "\n" + Settings.help() }

  /// Reports all errors in the arguments, with the command's usage.
  func validate() throws {
    do {
      _ = try request()
    } catch let error as ValidationError {
      throw error
    } catch {
      // Files that cannot be read are reported without the usage, when the command runs.
    }
  }

  /// Starts or resumes the run that the arguments describe, and trains it.
  func run() throws {
    let request = try request()
    if let url = request.resumed { return try resume(url, request) }
    var settings = request.settings
    if !options.printSettings, try request.launch.start(on: settings.inputs.device) { return }
    let compute = try ComputeSetting(
      device: request.launch.ownDevice(of: settings.inputs.device), precision: settings.training.precision,
      threads: settings.inputs.threads)
    if settings.inputs.initialModel == nil { settings.adopt(try TrainingData(path: settings.inputs.data[0].path)) }
    settings.inputs.device = compute.device.description
    settings.training.precision = Precision(compute.precision)
    let record = RunRecord(settings, program: "calm \(calmVersion)")
    try check(record.settings, request.given)
    if options.printSettings { return try printSettings(of: record) }
    let group = try request.launch.meet(on: compute.device)
    let run = try TrainingRun(record, in: URL(fileURLWithPath: request.launch.out ?? ""), group: group)
    try train(run, compute: compute, group: group)
  }

  /// Trains a run, then distills its model if its settings say so, and prints the results.
  private func train(_ run: TrainingRun, compute: ComputeSetting, group: any DataParallelGroup) throws {
    let first = try trainWithProgress(run, compute: compute, group: group)
    var results = first.results
    if first.end.isComplete, let student = try run.distillation(group: group) {
      if let results { StandardError.note(results.text(command: run.record.kind.command)) }
      results = try trainWithProgress(student, compute: compute, group: group).results
    }
    guard let results else { return }
    try options.report.print(results, text: results.text(command: run.record.kind.command))
    // The status that a shell expects of an interrupted program.
    if !results.complete && Interruption.isRequested { throw ExitCode(130) }
  }

  private func resume(_ url: URL, _ request: RunRequest<Settings>) throws {
    let limits = ResumedLimits(
      steps: request.given.value(of: "steps"), maximumTokens: request.given.value(of: "max_tokens"),
      maximumSeconds: request.given.value(of: "max_time"))
    let record = try TrainingRun.record(resuming: url.path, limits: limits)
    guard record.kind == Settings.kind else {
      throw InputError.otherCommand(run: url.path, command: record.kind.command)
    }
    if options.printSettings { return try printSettings(of: record) }
    let launch = request.launch
    let device = launch.device(resuming: record)
    if try launch.start(on: device) { return }
    // A different number of threads changes the result in its last bits. Several processes on a machine divide its
    // cores.
    let before = record.settings.inputs.threads.map { launch.areSeveral ? min($0, Runtime.threads) : $0 }
    let compute = try ComputeSetting(
      device: launch.ownDevice(of: device), precision: record.settings.training.precision,
      threads: request.given.value(of: "threads") ?? before)
    let group = try launch.meet(on: compute.device)
    let run = try TrainingRun(resuming: url, limits: limits, device: compute.device, group: group)
    try train(run, compute: compute, group: group)
  }

  /// Prints settings in the format of `run.json`, which `--config` reads.
  private func printSettings(of record: RunRecord) throws {
    try StandardOutput.write(record.settings.json.text + "\n")
  }

  /// Reads arguments and files.
  ///
  /// - Throws: one usage error that lists all errors in them, or an error of reading a file.
  private func request() throws -> RunRequest<Settings> {
    let (given, faultsOfFile) = try options.given(
      Settings.declarations + LaunchSettings.declarations, kind: Settings.kind)
    func refuseAll(_ others: [String]) throws {
      if let faultsOfFile { throw InputError.settings(file: options.config ?? "", problems: faultsOfFile + others) }
      try refuse(given.faults + others)
    }
    var launch = LaunchSettings()
    launch.apply(given)
    var others = launch.faults(given)
    let resumed = try options.runToResume(out: launch.out)
    if resumed != nil {
      try refuseAll(others)
      return RunRequest(given: given, launch: launch, resumed: resumed, settings: Settings())
    }
    others += missing(given)
    let base = Result { try Settings.base(for: given) }
    // If the base model cannot be read, the sizes are unknown; only errors that do not depend on it are reported.
    if case .success = base {
    } else if given.has("init_from") {
      try refuseAll(others)
      _ = try base.get()
    }
    let resolved = Settings.resolve(given, over: (try? base.get()) ?? Settings())
    try refuseAll(others + resolved.faults.dropFirst(given.faults.count))
    _ = try base.get()
    return RunRequest(given: given, launch: launch, resumed: nil, settings: resolved.settings)
  }

  private func missing(_ given: GivenSettings) -> [String] {
    var missing: [String] = []
    if !given.has("data") { missing.append("name the prepared data with --data, or a run with --resume") }
    if !given.has("out") && !options.printSettings {
      missing.append("name the folder of the new run with --out")
    }
    let needsAutoencoder = Settings.kind == .lm && given.value(of: "head", as: HeadKind.self)?.usesAutoencoder != false
    if Settings.kind == .student && !given.has("init_from") { missing.append("name the model to distill first") }
    if needsAutoencoder && !given.has("autoencoder") && !given.has("init_from") {
      missing.append("name the trained autoencoder with --autoencoder")
    }
    return missing
  }

  /// Refuses a new run whose data show that it would fail at its first evaluation or would train in vain.
  ///
  /// - Throws: a usage error, ``InputError/nothingToScore(data:tokens:)``, or an error of the data.
  private func check(_ settings: any RunSettings, _ given: GivenSettings) throws {
    let chunkSize = settings.model.chunkSize
    let parts = try settings.inputs.data.map { try TokenDataSet(path: $0.path).validation }.filter { !$0.isEmpty }
    // Settings from a file are not refused, because a run.json contains all of them.
    let idle = ["eval_interval", "eval_sequences", "best_metric"].filter {
      given.isOnCommandLine($0) && given[$0] != .text("none")
    }
    var problems = withoutEffect(
      "because the data has no held-out text", names: parts.isEmpty ? idle.map(given.title) : [])
    guard Settings.scoresPredictions else { return try refuse(problems) }
    // One chunk, and the chunks with the tokens after it that are scored.
    let needed = 1 + (BrierScore.maximumOrder + chunkSize - 1) / chunkSize
    if settings.training.sequenceLength < needed * chunkSize {
      let error = EvaluationError.sequenceTooShort(
        tokens: settings.training.sequenceLength, needed: needed * chunkSize)
      problems.append("\(error)" + optionHint(for: error, of: self))
    }
    try refuse(problems)
    // The held-out documents of all corpora follow one another; only the last sequence may be shorter than the others.
    let chunks = try parts.map {
      try PackedSequences(shards: $0, chunkSize: chunkSize, sequenceChunks: 1, remainder: .padded).chunkCount
    }
    let heldOut = chunks.reduce(0, +)
    if !chunks.isEmpty && heldOut < needed {
      let data = settings.inputs.data.map(\.path).joined(separator: ", ")
      throw InputError.nothingToScore(data: data, tokens: heldOut * chunkSize)
    }
  }
}
