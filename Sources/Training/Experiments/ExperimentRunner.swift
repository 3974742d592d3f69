import CALM
import Files
import Foundation
import TextCorpus
import Tokenization
import Torch

/// Runs an experiment in a folder: the data, a run for each training, and the tables and plots of all.
///
/// What is done is not done again, and a training that was stopped goes on from its last checkpoint.
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
  /// - Throws: ``ExperimentError/otherSettings(run:)``, and errors of data, trainings and files.
  public func run(training train: (_ name: String, TrainingRun) throws -> TrainingEnd) throws -> [ExperimentResult]? {
    let path = try prepareData()
    let data = try TrainingData(path: path)
    for run in plan.runs {
      _ = try isTrained(record(of: run, data: data, path: path), at: folder(of: run.name))
      guard try heldOut(for: run, of: data) != nil else { throw ExperimentError.nothingHeldOut(data: path) }
    }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var results: [ExperimentResult] = []
    for run in plan.runs {
      let url = folder(of: run.name)
      let record = record(of: run, data: data, path: path)
      let done = url.appendingPathComponent("result.json")
      if try isTrained(record, at: url), let stored = try? Data(contentsOf: done) {
        results.append(try JSONDecoder().decode(ExperimentResult.self, from: stored))
        continue
      }
      if !FileManager.default.fileExists(atPath: url.appendingPathComponent("model").path) {
        let training = try start(record, in: url)
        guard try train(run.name, training).isComplete else { return nil }
      }
      let result = try measure(run, at: url, data: data, before: results)
      try write(try JSONEncoder().encode(result), to: done)
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
    let stories = Array(Tales().stories(seed: plan.seed, bytes: bytes))
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
    let vocabulary = data.tokenizer.vocabularySize
    var settings = run.settings
    settings.precision = precision
    let model: RunRecord.Model
    switch run.model {
    case .autoencoder(var configuration):
      (configuration.vocabularySize, configuration.special) = (vocabulary, data.special)
      model = .autoencoder(configuration)
    case .continuous(var configuration, let autoencoder, let leadIn):
      (configuration.vocabularySize, configuration.special) = (vocabulary, data.special)
      let place = folder.appendingPathComponent("runs/\(autoencoder)/model").path
      model = .languageModel(configuration, autoencoder: place, leadIn: leadIn)
    case .autoregressive(let shape):
      model = .autoregressive(
        AutoregressiveConfiguration(
          vocabularySize: vocabulary, transformer: shape, special: data.specialWithoutStandIn))
    }
    return RunRecord(model: model, data: [.init(path: path)], settings: settings, device: device, program: program)
  }

  /// Whether a run of this name has ended.
  ///
  /// - Throws: ``ExperimentError/otherSettings(run:)`` where it was told otherwise.
  private func isTrained(_ record: RunRecord, at url: URL) throws -> Bool {
    let stored = url.appendingPathComponent("run.json")
    guard let data = try? Data(contentsOf: stored) else { return false }
    let before = try JSONDecoder().decode(RunRecord.self, from: data)
    func told(_ record: RunRecord) throws -> Data {
      struct Told: Encodable {
        let model: RunRecord.Model
        let settings: TrainingSettings
      }
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      return try encoder.encode(Told(model: record.model, settings: record.settings))
    }
    guard try told(before) == told(record) else { throw ExperimentError.otherSettings(run: url.path) }
    return FileManager.default.fileExists(atPath: url.appendingPathComponent("model").path)
  }

  private func start(_ record: RunRecord, in url: URL) throws -> TrainingRun {
    guard FileManager.default.fileExists(atPath: url.appendingPathComponent("run.json").path) else {
      return try TrainingRun(record, in: url)
    }
    if FileManager.default.fileExists(atPath: url.appendingPathComponent("latest").path) {
      return try TrainingRun(resuming: url)
    }
    // Stopped before its first checkpoint: there is nothing to lose.
    try FileManager.default.removeItem(at: url)
    return try TrainingRun(record, in: url)
  }

  // MARK: Measuring

  private func heldOut(for run: ExperimentPlan.Run, of data: TrainingData) throws -> PackedBlocks? {
    try data.blocks(
      .validation, chunkSize: run.chunkSize, blockChunks: plan.blockTokens / run.chunkSize, remainder: .padded)
  }

  private func measure(
    _ run: ExperimentPlan.Run, at url: URL, data: TrainingData, before: [ExperimentResult]
  ) throws -> ExperimentResult {
    let model = try ModelFolder(url.appendingPathComponent("model"))
    let tokens = Double(run.settings.batchSize * run.settings.blockChunks * run.chunkSize)
    guard let held = try heldOut(for: run, of: data) else { throw ExperimentError.nothingHeldOut(data: data.set.path) }
    func result(kind: String, cost: ModelCost) -> ExperimentResult {
      ExperimentResult(
        name: run.name, kind: kind, chunkSize: run.chunkSize, parameters: cost.parameters,
        training: TrainingCost(step: cost.trainingPerToken * tokens, steps: run.settings.steps),
        inferenceFlopsPerToken: cost.inferencePerToken)
    }
    switch run.model {
    case .autoencoder:
      let autoencoder = try model.loadAutoencoder(device: device)
      var row = result(kind: "autoencoder", cost: autoencoder.configuration.cost)
      autoencoder.convert(to: precision)
      let noise = [0, 0.1, 0.2, 0.3, 0.4, 0.5]
      row.accuracy = try autoencoder.evaluate(on: held, blocks: plan.blocks, noise: noise, seed: plan.seed).accuracy
      return row
    case .continuous(_, let name, let leadIn):
      let language = try model.loadLanguageModel(device: device)
      let sizes = try model.languageModelConfiguration()
      let autoencoder = language.autoencoder.configuration
      var row = result(kind: sizes.head.rawValue, cost: sizes.cost(autoencoder: autoencoder))
      row.training.autoencoder = before.first { $0.name == name }?.training.flops ?? 0
      row.training.leadIn = leadIn
      row.training.leadInStep = sizes.leadInPerToken(autoencoder: autoencoder) * tokens
      language.convert(to: precision)
      language.autoencoder.convert(to: precision)
      let found = try language.evaluate(on: held, blocks: plan.blocks, samples: plan.samples, seed: plan.seed)
      (row.brierLM, row.energyLoss) = (found.brierLM, found.energyLoss)
      return row
    case .autoregressive:
      let transformer = try model.loadAutoregressiveModel(device: device)
      var row = result(kind: "transformer", cost: transformer.configuration.cost)
      transformer.convert(to: precision)
      let found = try transformer.evaluate(on: held, blocks: plan.blocks, samples: plan.samples, seed: plan.seed)
      (row.brierLM, row.crossEntropy) = (found.brierLM, found.crossEntropy)
      let curve = curve(of: run.name)
      row.crossEntropyCorrelation = correlation(
        zip(curve.points(of: "cross_entropy"), curve.points(of: "brier_lm")).map { ($0.y, $1.y) })
      return row
    }
  }

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
