import CALM
import CALMCorpus
import CALMReports
import CALMSupport
import CALMTokenizer
import CALMTraining
import Foundation
import Torch

/// Runs an experiment in a folder: the data, a run for each training, and the tables and plots of all.
///
/// Finished runs are not repeated, and an interrupted one resumes from its last checkpoint. Each run stores its
/// ``ExperimentFingerprint``: if the settings of its training have changed since, it is refused; if only those of the
/// evaluation have, its model is evaluated again.
public struct ExperimentRunner {
  /// What to run.
  public let plan: ExperimentPlan
  /// Where everything is kept: `data/`, `runs/`, `table.csv`, `table.md` and the plots.
  public let folder: URL
  private let precision: DType
  private let device: Device
  private let program: String

  /// - Parameters:
  ///   - precision: the type to compute in.
  ///   - program: the program's name and version, for the records.
  public init(_ plan: ExperimentPlan, in folder: URL, precision: DType, device: Device = .cpu, program: String) {
    (self.plan, self.folder, self.precision, self.device, self.program) = (plan, folder, precision, device, program)
  }

  /// Runs whatever is not done yet.
  ///
  /// - Parameter train: runs one training, and says how it ended.
  /// - Returns: the results in the order of the plan; nil where a training was stopped.
  /// - Throws: ``ExperimentError``, and errors of data, trainings and files.
  public func run(training train: (_ name: String, TrainingRun) throws -> TrainingEnd) throws -> [ExperimentResult]? {
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
      let result = try measure(run, at: url, data: data, before: results)
      try write(try JSONEncoder().encode(MeasuredResult(fingerprint: fingerprint, result: result)), to: done)
      results.append(result)
    }
    try report(results)
    return results
  }

  // MARK: Data

  /// The folder of the prepared data, made where it is of tales and not there yet.
  private func prepareData() throws -> String {
    guard case .tales(let bytes, let vocabulary) = plan.source else {
      if case .data(let path) = plan.source { return path }
      return ""
    }
    let path = folder.appendingPathComponent("data-\(bytes)-\(vocabulary)-\(plan.seed)").path
    if FileManager.default.fileExists(atPath: path) { return path }
    let stories = Array(SyntheticStories().stories(seed: plan.seed, bytes: bytes))
    var trainer = try BPETrainer(vocabularySize: vocabulary)
    for story in stories { trainer.add(story) }
    let tokenizer = try trainer.train()
    let temporary = folder.appendingPathComponent(".tales-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: temporary) }
    let (file, text) = (temporary.appendingPathComponent("tokenizer.json"), temporary.appendingPathComponent("t.txt"))
    try tokenizer.save(to: file)
    try write(Data(stories.joined(separator: "\n").utf8), to: text)
    var preparation = DataPreparation(vocabulary: try TokenVocabulary(of: tokenizer, at: path), createdBy: program)
    preparation.validationShare = 0.05
    preparation.seed = plan.seed
    preparation.attachments = ["tokenizer.json": try Data(contentsOf: file)]
    _ = try preparation.run(
      try CorpusReader(paths: [text.path], options: CorpusOptions(split: .lines)), into: path,
      encode: { tokenizer.encode($0) })
    return path
  }

  // MARK: Trainings

  /// The run's record, with the sizes that follow from the data filled in.
  private func record(of run: ExperimentPlan.Run, data: TrainingData, path: String) -> RunRecord {
    var settings = run.settings
    settings.training.precision = Precision(precision)
    settings.inputs.data = [Corpus(path: path)]
    settings.inputs.device = device.description
    settings.adopt(data)
    if var language = settings as? LanguageModelSettings, let autoencoder = run.autoencoder {
      language.autoencoder = folder(of: autoencoder).appendingPathComponent("model").path
      language.model.vocabularySize = data.tokenizer.vocabularySize
      settings = language
    }
    return RunRecord(settings, program: program)
  }

  /// The fingerprint of each run, by its name.
  private func fingerprints(data: TrainingData, path: String) throws -> [String: ExperimentFingerprint] {
    var found: [String: ExperimentFingerprint] = [:]
    for run in plan.runs {
      let autoencoder = run.autoencoder.flatMap { found[$0] }
      found[run.name] = try ExperimentFingerprint(
        of: record(of: run, data: data, path: path), in: plan, data: data.set, autoencoder: autoencoder)
    }
    return found
  }

  /// Whether a run has ended.
  ///
  /// - Throws: ``ExperimentError`` if it was trained with other settings, or has no fingerprint.
  private func isTrained(_ fingerprint: ExperimentFingerprint, at url: URL) throws -> Bool {
    func has(_ name: String) -> Bool {
      FileManager.default.fileExists(atPath: url.appendingPathComponent(name).path)
    }
    // A run without a checkpoint begins again, with the new settings.
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
    // Stopped before its first checkpoint: there is nothing to lose.
    if FileManager.default.fileExists(atPath: url.appendingPathComponent("run.json").path) {
      try FileManager.default.removeItem(at: url)
    }
    let run = try TrainingRun(record, in: url)
    try write(try JSONEncoder().encode(fingerprint), to: fingerprintURL(of: url))
    return run
  }

  private func fingerprintURL(of run: URL) -> URL { run.appendingPathComponent("fingerprint.json") }

  // MARK: Measuring

  private func heldOut(for run: ExperimentPlan.Run, of data: TrainingData) throws -> PackedSequences? {
    try data.blocks(
      .validation, chunkSize: run.chunkSize, sequenceChunks: plan.sequenceTokens / run.chunkSize, remainder: .padded)
  }

  private func measure(
    _ run: ExperimentPlan.Run, at url: URL, data: TrainingData, before: [ExperimentResult]
  ) throws -> ExperimentResult {
    let model = try ModelFolder(url.appendingPathComponent("model"))
    let tokens = Double(run.settings.training.tokensPerStep)
    guard let held = try heldOut(for: run, of: data) else { throw ExperimentError.nothingHeldOut(data: data.set.path) }
    func result(kind: String, cost: ModelCost) -> ExperimentResult {
      ExperimentResult(
        name: run.name, kind: kind, chunkSize: run.chunkSize, parameters: cost.parameters,
        training: TrainingCost(step: cost.trainingPerToken * tokens, steps: run.settings.training.totalSteps),
        inferenceFlopsPerToken: cost.inferencePerToken)
    }
    switch type(of: run.settings).kind {
    case .autoencoder:
      let autoencoder = try model.loadAutoencoder(device: device)
      var row = result(kind: "autoencoder", cost: autoencoder.configuration.cost)
      autoencoder.convert(to: precision)
      let noise = [0, 0.1, 0.2, 0.3, 0.4, 0.5]
      row.accuracy = try autoencoder.evaluate(on: held, blocks: plan.blocks, noise: noise, seed: plan.seed).accuracy
      return row
    case .lm:
      let language = try model.loadLanguageModel(device: device)
      let sizes = try model.languageModelConfiguration()
      let autoencoder = language.autoencoder.configuration
      var row = result(kind: sizes.head.rawValue, cost: sizes.cost(autoencoder: autoencoder))
      row.training.autoencoder = before.first { $0.name == run.autoencoder }?.training.flops ?? 0
      row.training.auxiliaryWarmupSteps = run.settings.auxiliaryWarmupSteps
      row.training.leadInStep = sizes.leadInPerToken(autoencoder: autoencoder) * tokens
      language.convert(to: precision)
      language.autoencoder.convert(to: precision)
      let found = try language.evaluate(on: held, blocks: plan.blocks, samples: plan.samples, seed: plan.seed)
      (row.brierLM, row.energyScore) = (found.brierLM, finite(found.energyScore))
      return row
    case .transformer:
      let transformer = try model.loadAutoregressiveModel(device: device)
      var row = result(kind: "transformer", cost: transformer.configuration.cost)
      transformer.convert(to: precision)
      let found = try transformer.evaluate(on: held, blocks: plan.blocks, samples: plan.samples, seed: plan.seed)
      (row.brierLM, row.crossEntropy) = (found.brierLM, finite(found.crossEntropy))
      let curve = curve(of: run.name)
      row.crossEntropyCorrelation = correlation(
        zip(curve.points(of: "cross_entropy"), curve.points(of: "brier_lm")).map { ($0.y, $1.y) })
      return row
    }
  }

  /// Nil for a NaN or infinite metric, which JSON cannot represent.
  private func finite(_ metric: Double) -> Double? { metric.isFinite ? metric : nil }

  // MARK: Reports

  private func report(_ results: [ExperimentResult]) throws {
    let table = ExperimentTable(results)
    var files = ["table.csv": table.csv, "table.md": table.markdown]
    let curves = Dictionary(uniqueKeysWithValues: results.map { ($0.name, curve(of: $0.name)) })
    for (name, plot) in ExperimentPlots(results: results, curves: curves).all { files["\(name).svg"] = plot.svg }
    for (name, text) in files { try write(Data(text.utf8), to: folder.appendingPathComponent(name)) }
  }

  private func curve(of run: String) -> MetricsHistory {
    MetricsHistory(contentsOf: folder(of: run).appendingPathComponent("metrics.jsonl"))
  }

  private func folder(of run: String) -> URL { folder.appendingPathComponent("runs/\(run)") }

  private func write(_ data: Data, to url: URL) throws { try AtomicFile.write(data, to: url.path) }
}
