import CALM
import CALMCorpus
import CALMSupport
import Foundation
import Torch

/// A run that is ready to train: a new one, or one resumed from a checkpoint.
public struct TrainingRun {
  /// The settings.
  public let record: RunRecord
  /// The folder.
  public let folder: RunFolder
  /// The training loop.
  public let trainer: Trainer
  /// The model and its loss.
  public let task: any TrainingTask
  /// Steps taken before this start.
  public let step: Int
  /// The errors of checkpoints newer than the one from which the run resumes. These checkpoints are renamed.
  public let damage: [TrainingError]
  /// The device on which the run computes.
  public let device: Device
  /// Nil except in the process that writes the files.
  private let lock: RunLock?

  /// Creates a new run. Its folder is created after data and models have been read.
  ///
  /// - Parameters:
  ///   - url: the folder of the run.
  ///   - group: the processes that train together.
  /// - Throws: an error of the data or the autoencoder, or ``TrainingError``.
  public init(_ record: RunRecord, in url: URL, group: any DataParallelGroup = SingleProcess()) throws {
    let device = try Device(parsing: record.settings.inputs.device)
    let corpora = try TrainingCorpora(record.settings.inputs.data)
    let task = try corpora.newTask(for: record.settings, on: device)
    let corpus = try corpora.training(for: record.settings)
    try Trainer.check(record.settings.training, group)
    let folder = group.rank == 0 ? try RunFolder(creating: url) : RunFolder(at: url)
    lock = try group.rank == 0 ? folder.lock() : nil
    (self.record, self.folder, self.task, self.device, step, damage) = (record, folder, task, device, 0, [])
    trainer = try Trainer(
      task, on: corpus, settings: record.settings.training, folder: folder, device: device, group: group)
    // Written last, so that a run that failed to start does not occupy the folder.
    if group.rank == 0 { try writeRecord() }
  }

  /// Resumes a run from its last checkpoint or from a given one, or from the beginning if it has none yet. Nothing in its
  /// folder changes before checkpoint, data, model and device have been checked.
  ///
  /// - Parameters:
  ///   - url: the run's folder, or one of its checkpoints.
  ///   - limits: new limits of the whole run, which are stored in `run.json`.
  ///   - device: the device to compute on; by default the same as before.
  ///   - group: the processes that train together; their number may differ from before.
  /// - Throws: an error of the data or the checkpoint, or ``TrainingError``.
  public init(
    resuming url: URL, limits: ResumedLimits = ResumedLimits(), device: Device? = nil,
    group: any DataParallelGroup = SingleProcess()
  ) throws {
    let (folder, named) = try RunFolder.locate(url)
    lock = try group.rank == 0 ? folder.lock() : nil
    let resumption = try folder.soundCheckpoint(named)
    let record = try Self.record(in: folder, limits: limits)
    let device = try device ?? Device(parsing: record.settings.inputs.device)
    let corpora = try TrainingCorpora(record.settings.inputs.data)
    let task =
      try resumption.checkpoint.map { try corpora.storedTask(in: $0, for: record.settings, on: device) }
      ?? corpora.newTask(for: record.settings, on: device)
    (self.record, self.folder, self.task, self.device) = (record, folder, task, device)
    damage = resumption.damage
    trainer = try Trainer(
      task, on: try corpora.training(for: record.settings), settings: record.settings.training, folder: folder,
      resuming: resumption.checkpoint, device: device, group: group,
      willWrite: { if group.rank == 0 { try folder.resume(from: resumption) } })
    step = trainer.step
    if group.rank == 0 && limits.areGiven { try writeRecord() }
  }

  private func writeRecord() throws {
    try AtomicFile.write(try record.encoded(), to: folder.recordURL.path)
  }

  /// Trains until a limit is reached or `report` returns `.stop`, and records the outcome in the run's status.
  ///
  /// - Returns: why training ended.
  /// - Throws: ``TrainingError/studentExists(_:)``, or an error of training.
  @discardableResult
  public func train(report: Trainer.EventHandler = { _ in .continue }) throws -> TrainingEnd {
    try checkStudent()
    try lock?.begin(totalSteps: trainer.total)
    do {
      let end = try trainer.run(report: report)
      try lock?.end(end.isComplete ? .finished : .stopped)
      return end
    } catch {
      // Report this error even if it cannot be recorded.
      try? lock?.end(.failed, reason: "\(error)")
      throw error
    }
  }

  /// The settings of a run with new limits. The path is that of the run or of one of its checkpoints.
  ///
  /// - Throws: ``TrainingError``.
  public static func record(resuming path: String, limits: ResumedLimits = ResumedLimits()) throws -> RunRecord {
    try record(in: try RunFolder.locate(URL(fileURLWithPath: path)).run, limits: limits)
  }

  private static func record(in folder: RunFolder, limits: ResumedLimits) throws -> RunRecord {
    guard let data = try? Data(contentsOf: folder.recordURL), var record = RunRecord(decoding: data)
    else { throw TrainingError.damagedRecord(folder.recordURL.path) }
    limits.apply(to: &record.settings.training)
    return record
  }
}

/// The limits that may change when a run is resumed; nil keeps the previous one.
public struct ResumedLimits: Sendable {
  /// Steps of the whole run.
  public var steps: Int?
  /// Tokens of the whole run.
  public var maximumTokens: Int?
  /// Seconds from the start or resumption of the run.
  public var maximumSeconds: Double?

  /// Creates new limits.
  public init(steps: Int? = nil, maximumTokens: Int? = nil, maximumSeconds: Double? = nil) {
    (self.steps, self.maximumTokens, self.maximumSeconds) = (steps, maximumTokens, maximumSeconds)
  }

  /// Whether any limit changes.
  fileprivate var areGiven: Bool { steps != nil || maximumTokens != nil || maximumSeconds != nil }

  fileprivate func apply(to settings: inout TrainingSettings) {
    // If the token limit determined the steps, the new one does too.
    let isByTokens = settings.steps == settings.stepsOfTokens
    if let maximumTokens {
      settings.maximumTokens = maximumTokens
      if isByTokens { settings.steps = settings.stepsOfTokens ?? 0 }
    }
    if let steps { settings.steps = steps }
    if let maximumSeconds { settings.maximumSeconds = maximumSeconds }
  }
}

/// The data of a run: one prepared data set, or several that share a tokenizer.
private struct TrainingCorpora {
  private let corpora: [(data: TrainingData, weight: Double)]

  init(_ corpora: [Corpus]) throws {
    if corpora.isEmpty { throw PackingError.noDocuments }
    self.corpora = try corpora.map { (try TrainingData(path: $0.path), $0.weight) }
    for other in self.corpora where other.data.tokenizer.contentHash != first.tokenizer.contentHash {
      throw TrainingError.tokenizersDiffer(other.data.set.path, first.set.path)
    }
  }

  /// The corpus whose tokenizer is saved with the model.
  var first: TrainingData { corpora[0].data }

  func training(for settings: any RunSettings) throws -> [WeightedSequences] {
    try corpora.map { data, weight in
      guard let sequences = try sequences(of: [data], .train, for: settings, remainder: .dropped) else {
        throw PackingError.noDocuments
      }
      return WeightedSequences(sequences, weight: weight)
    }
  }

  /// A task with a new model, or with the initial model that the settings name, which must have the same tokenizer as
  /// the data if it has one.
  func newTask(for settings: any RunSettings, on device: Device) throws -> any TrainingTask {
    let initial = try settings.inputs.initialModel.map { try ModelFolder(URL(fileURLWithPath: $0)) }
    if let initial { try first.check(against: initial, vocabularySize: settings.model.vocabularySize) }
    return try settings.newTask(from: initial, parts(for: settings, on: device))
  }

  /// A task with the model of a checkpoint.
  func storedTask(
    in checkpoint: URL, for settings: any RunSettings, on device: Device
  ) throws -> any TrainingTask {
    try settings.storedTask(in: try ModelFolder(checkpoint), parts(for: settings, on: device))
  }

  private func parts(for settings: any RunSettings, on device: Device) throws -> TaskParts {
    // The held-out documents of all corpora in order.
    let validation = try sequences(of: corpora.map { $0.data }, .validation, for: settings, remainder: .padded)
    return TaskParts(
      data: first, validation: validation, device: device,
      generator: Generator(seed: settings.training.seed, device: device))
  }

  private func sequences(
    of data: [TrainingData], _ split: DataSplit, for settings: any RunSettings, remainder: PackedSequences.Remainder
  ) throws -> PackedSequences? {
    let model = settings.model
    return try first.sequences(
      of: data.flatMap { $0.set.shards(split) }, chunkSize: model.chunkSize,
      sequenceChunks: settings.training.sequenceLength / model.chunkSize, padding: model.special.padding,
      remainder: remainder)
  }
}
