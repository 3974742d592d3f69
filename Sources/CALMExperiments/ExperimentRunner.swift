import CALM
import CALMCorpus
import CALMReports
import CALMSupport
import CALMTokenizer
import CALMTraining
import Foundation
import Torch

/// Runs an experiment in a folder: prepares the data, trains and evaluates each run, and writes tables and plots.
///
/// Finished runs are not repeated, and an interrupted run resumes from its last checkpoint. Each run stores its
/// ``ExperimentFingerprint``. If the training settings have changed since, the runner throws an error; if only the
/// evaluation settings have changed, it evaluates the model again.
public struct ExperimentRunner {
  /// The experiment.
  public let plan: ExperimentPlan
  /// The output folder: `data/`, `runs/`, `table.csv`, `table.md` and the plots.
  public let folder: URL
  let precision: DType
  let device: Device
  private let program: String

  /// - Parameters:
  ///   - precision: the compute type.
  ///   - program: the name and version of the program, for the records of the runs.
  public init(_ plan: ExperimentPlan, in folder: URL, precision: DType, device: Device = .cpu, program: String) {
    (self.plan, self.folder, self.precision, self.device, self.program) = (plan, folder, precision, device, program)
  }

  /// Performs all work that is not done yet.
  ///
  /// - Parameters:
  ///   - note: receives what begins, in words, where that may take minutes and is not training.
  ///   - train: trains a run and returns why training ended.
  /// - Returns: the results in the order of the plan; nil if a run was stopped.
  /// - Throws: ``ExperimentError``, or an error of data, training or files.
  public func run(
    note: (String) -> Void = { _ in }, training train: (_ name: String, TrainingRun) throws -> TrainingEnd
  ) throws -> [ExperimentResult]? {
    let path = try prepareData()
    let data = try TrainingData(path: path)
    let fingerprints = try fingerprints(data: data, path: path)
    for run in plan.runs {
      if let fingerprint = fingerprints[run.name] { _ = try isTrained(fingerprint, at: folder(of: run.name)) }
      guard try heldOut(for: run, of: data) != nil else { throw ExperimentError.nothingHeldOut(data: path) }
    }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var results: [ExperimentResult] = []
    for run in plan.runs {
      guard let fingerprint = fingerprints[run.name] else { continue }
      let url = folder(of: run.name)
      if try !isTrained(fingerprint, at: url) {
        let training = try start(record(of: run, data: data, path: path), fingerprint, in: url)
        guard try train(run.name, training).isComplete else { return nil }
      }
      let done = url.appendingPathComponent("result.json")
      if let stored = try? JSONDecoder().decode(MeasuredResult.self, from: Data(contentsOf: done)),
        stored.fingerprint == fingerprint
      {
        results.append(stored.result)
        continue
      }
      note("\(run.name): evaluation …")
      let result = try evaluate(run, at: url, data: data, earlier: results)
      try write(try JSONEncoder().encode(MeasuredResult(fingerprint: fingerprint, result: result)), to: done)
      results.append(result)
    }
    let speeds = try plan.speed.map { try generationSpeeds($0, fingerprints, note: note) }
    for index in results.indices { results[index].speed = speeds?.models[results[index].name] }
    try report(results, machine: speeds?.machine)
    return results
  }

  // MARK: Data

  /// The folder of the data set, prepared first if it is synthetic stories and does not exist.
  private func prepareData() throws -> String {
    guard case .stories(let bytes, let vocabulary) = plan.source else {
      if case .data(let path) = plan.source { return path }
      return ""
    }
    let path = folder.appendingPathComponent("data-\(bytes)-\(vocabulary)-\(plan.seeds[0])").path
    if FileManager.default.fileExists(atPath: path) { return path }
    func stories() -> some TextSource {
      TextSequence(SyntheticStories().stories(seed: plan.seeds[0], bytes: bytes), name: "synthetic stories")
    }
    let tokenizer = try TextPipeline.trainTokenizer(vocabularySize: vocabulary, on: stories())
    var pipeline = try TextPipeline(tokenizer, createdBy: program)
    pipeline.preparation.validationFraction = 0.05
    pipeline.preparation.seed = plan.seeds[0]
    try pipeline.prepare(stories(), into: path)
    return path
  }

  // MARK: Runs

  /// The record of a run, with the sizes that depend on the data.
  private func record(of run: ExperimentPlan.Run, data: TrainingData, path: String) -> RunRecord {
    var settings = run.settings
    settings.training.precision = Precision(precision)
    settings.inputs.data = [Corpus(path: path)]
    settings.inputs.device = device.description
    settings.adopt(data)
    if let origin = run.origin.map({ folder(of: $0).appendingPathComponent("model").path }) {
      if var language = settings as? LanguageModelSettings {
        language.autoencoder = origin
        language.model.vocabularySize = data.tokenizer.vocabularySize
        settings = language
      } else if var student = settings as? DistillationSettings {
        student.inputs.initialModel = origin
        (student.model.vocabularySize, student.model.special) = (data.tokenizer.vocabularySize, data.special)
        settings = student
      }
    }
    return RunRecord(settings, program: program)
  }

  /// The fingerprints of all runs by name.
  private func fingerprints(data: TrainingData, path: String) throws -> [String: ExperimentFingerprint] {
    var found: [String: ExperimentFingerprint] = [:]
    for run in plan.runs {
      found[run.name] = try ExperimentFingerprint(
        of: record(of: run, data: data, path: path), in: plan, data: data.set, origin: run.origin.flatMap { found[$0] })
    }
    return found
  }

  /// Whether a run is complete.
  ///
  /// - Throws: ``ExperimentError`` if the run was trained with other settings or has no fingerprint.
  private func isTrained(_ fingerprint: ExperimentFingerprint, at url: URL) throws -> Bool {
    func has(_ name: String) -> Bool {
      FileManager.default.fileExists(atPath: url.appendingPathComponent(name).path)
    }
    // A run without a checkpoint starts again with the current settings.
    guard has("latest") || has("model") else { return false }
    guard let data = try? Data(contentsOf: fingerprintURL(of: url)),
      let before = try? JSONDecoder().decode(ExperimentFingerprint.self, from: data)
    else { throw ExperimentError.unknownSettings(run: url.path) }
    if let change = fingerprint.change(since: before) {
      throw ExperimentError.otherSettings(run: url.path, name: change.name, before: change.before, now: change.now)
    }
    return has("model")
  }

  private func start(_ record: RunRecord, _ fingerprint: ExperimentFingerprint, in url: URL) throws -> TrainingRun {
    if FileManager.default.fileExists(atPath: url.appendingPathComponent("latest").path) {
      return try TrainingRun(resuming: url)
    }
    // A run without a checkpoint has nothing to lose.
    if FileManager.default.fileExists(atPath: url.appendingPathComponent("run.json").path) {
      try FileManager.default.removeItem(at: url)
    }
    let run = try TrainingRun(record, in: url)
    try write(try JSONEncoder().encode(fingerprint), to: fingerprintURL(of: url))
    return run
  }

  private func fingerprintURL(of run: URL) -> URL { run.appendingPathComponent("fingerprint.json") }

  // MARK: Evaluation

  private func heldOut(for run: ExperimentPlan.Run, of data: TrainingData) throws -> PackedSequences? {
    try data.sequences(
      .validation, chunkSize: run.chunkSize, sequenceChunks: plan.sequenceTokens / run.chunkSize, remainder: .padded)
  }

  private func evaluate(
    _ run: ExperimentPlan.Run, at url: URL, data: TrainingData, earlier: [ExperimentResult]
  ) throws -> ExperimentResult {
    let model = try ModelFolder(url.appendingPathComponent("model"))
    let tokens = Double(run.settings.training.tokensPerStep)
    guard let held = try heldOut(for: run, of: data) else { throw ExperimentError.nothingHeldOut(data: data.set.path) }
    func result(kind: String, cost: ModelCost) -> ExperimentResult {
      ExperimentResult(
        name: run.name, kind: kind, chunkSize: run.chunkSize, parameters: cost.parameters,
        training: TrainingCost(step: cost.trainingPerToken * tokens, steps: run.settings.training.totalSteps),
        trainingSeconds: seconds(of: run), inferenceFlopsPerToken: cost.inferencePerToken)
    }
    switch type(of: run.settings).kind {
    case .autoencoder:
      let autoencoder = try model.loadAutoencoder(device: device)
      var row = result(kind: "autoencoder", cost: autoencoder.configuration.cost)
      autoencoder.convert(to: precision)
      let noise = [0, 0.1, 0.2, 0.3, 0.4, 0.5]
      row.accuracy = try autoencoder.evaluate(on: held, sequences: plan.blocks, noise: noise, seed: run.seed).accuracy
      return row
    case .lm, .student:
      let language = try model.loadLanguageModel(device: device)
      let sizes = try model.languageModelConfiguration()
      let autoencoder = language.autoencoder?.configuration
      var row = result(kind: sizes.head.rawValue, cost: sizes.cost(autoencoder: autoencoder))
      if let distillation = run.settings as? DistillationSettings {
        let step = sizes.distillationPerToken(
          paths: distillation.paths, teacherSteps: distillation.teacherSteps)
        row.training = TrainingCost(step: step * tokens, steps: run.settings.training.totalSteps)
      }
      let origin = earlier.first { $0.name == run.origin }
      row.training.origin = origin?.training.flops ?? 0
      row.trainingSeconds = seconds(of: run) + (origin?.trainingSeconds ?? 0)
      row.training.auxiliaryWarmupSteps = run.settings.auxiliaryWarmupSteps
      row.training.auxiliaryWarmupStep = sizes.auxiliaryWarmupPerToken(autoencoder: autoencoder) * tokens
      language.convert(to: precision)
      language.autoencoder?.convert(to: precision)
      let evaluation = try language.evaluate(on: held, sequences: plan.blocks, samples: plan.samples, seed: run.seed)
      (row.brierLM, row.energyScore) = (evaluation.brierLM, evaluation.energyScore.flatMap(finite))
      row.headLoss = evaluation.headLoss.flatMap(finite)
      return row
    case .transformer:
      let transformer = try model.loadAutoregressiveModel(device: device)
      var row = result(kind: "transformer", cost: transformer.configuration.cost)
      transformer.convert(to: precision)
      let evaluation = try transformer.evaluate(
        on: held, sequences: plan.blocks, samples: plan.samples, seed: run.seed)
      (row.brierLM, row.crossEntropy) = (evaluation.brierLM, finite(evaluation.crossEntropy))
      let curve = curve(of: run.name)
      row.crossEntropyCorrelation = correlation(
        zip(curve.points(of: "cross_entropy"), curve.points(of: "brier_lm")).map { ($0.y, $1.y) })
      return row
    }
  }

  /// Seconds of the training steps of a run, without its evaluations and pauses.
  private func seconds(of run: ExperimentPlan.Run) -> Double {
    var (seconds, before) = (0.0, 0.0)
    for (step, rate) in curve(of: run.name).training["tokens_per_second"]?.points ?? [] {
      seconds += (step - before) * Double(run.settings.training.tokensPerStep) / rate
      before = step
    }
    return seconds
  }

  /// Nil for a NaN or infinite metric, which JSON cannot represent.
  private func finite(_ metric: Double) -> Double? { metric.isFinite ? metric : nil }

  // MARK: Reports

  private func report(_ results: [ExperimentResult], machine: String?) throws {
    let rows = plan.rows(of: results)
    var files = ExperimentTable(rows).files(named: "table")
    if plan.seeds.count > 1 {
      files.merge(ExperimentTable(results.map(ExperimentRow.init)).files(named: "seeds")) { _, new in new }
    }
    let curves = rows.map { row in (row.name, row.results.map { curve(of: $0.name) }) }
    let plots = ExperimentPlots(
      rows: rows, curves: Dictionary(uniqueKeysWithValues: curves).mapValues(MeanCurves.init), machine: machine)
    for (name, plot) in plots.all { files["\(name).svg"] = plot.svg }
    for (name, text) in files { try write(Data(text.utf8), to: folder.appendingPathComponent(name)) }
  }

  private func curve(of run: String) -> MetricsHistory {
    MetricsHistory(contentsOf: folder(of: run).appendingPathComponent("metrics.jsonl"))
  }

  func folder(of run: String) -> URL { folder.appendingPathComponent("runs/\(run)") }

  func write(_ data: Data, to url: URL) throws { try AtomicFile.write(data, to: url.path) }
}
