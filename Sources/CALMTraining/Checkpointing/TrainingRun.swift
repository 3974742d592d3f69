import CALM
import CALMCorpus
import CALMSupport
import Foundation
import Torch

/// A run that is ready to train: begun in a new folder, or taken up where its last checkpoint left it.
public struct TrainingRun {
  /// What the run was told.
  public let record: RunRecord
  /// Where it lies.
  public let folder: RunFolder
  /// What trains it.
  public let trainer: Trainer
  /// What is trained.
  public let task: any TrainingTask
  /// Steps taken before.
  public let step: Int
  /// What is wrong with checkpoints newer than the one that the run goes on from, which are set aside.
  public let damage: [TrainingError]
  /// The device it runs on.
  public let device: Device
  /// Nil in a process that does not write.
  private let claim: RunLock?

  /// Begins a run. Its folder is made once data and models have been read.
  ///
  /// - Parameter group: the processes that train together.
  /// - Throws: an error of the data or the autoencoder, or ``TrainingError``.
  public init(_ record: RunRecord, in url: URL, group: any DataParallelGroup = SingleProcess()) throws {
    let device = try Device(parsing: record.settings.inputs.device)
    let corpora = try TrainingCorpora(record.settings.inputs.data)
    let task = try corpora.newTask(for: record.settings, on: device)
    let corpus = try corpora.training(for: record.settings)
    try Trainer.check(record.settings.training, group)
    let folder = group.rank == 0 ? try RunFolder(creating: url) : RunFolder(at: url)
    claim = try group.rank == 0 ? folder.claim() : nil
    (self.record, self.folder, self.task, self.device, step, damage) = (record, folder, task, device, 0, [])
    trainer = try Trainer(
      task, on: corpus, settings: record.settings.training, folder: folder, device: device, group: group)
    // What could not begin is no run, and leaves its folder to the next.
    if group.rank == 0 { try writeRecord() }
  }

  /// Takes up a run at its last checkpoint, or at any other; at its beginning where it ended before the first. Nothing in
  /// its folder changes before checkpoint, data, model and device have been checked.
  ///
  /// - Parameters:
  ///   - url: the run's folder, or one of its checkpoints.
  ///   - limits: new limits of the whole run, which the run's folder keeps.
  ///   - device: where to compute; by default where the run did before.
  ///   - group: the processes that train together; they may be more or fewer than before.
  /// - Throws: an error of the data or the checkpoint, or ``TrainingError``.
  public init(
    resuming url: URL, limits: ResumedLimits = ResumedLimits(), device: Device? = nil,
    group: any DataParallelGroup = SingleProcess()
  ) throws {
    let (folder, named) = try RunFolder.locate(url)
    claim = try group.rank == 0 ? folder.claim() : nil
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

  /// Trains until a limit is reached, or `report` says to stop, and writes down what became of the run.
  ///
  /// - Returns: why it ended.
  @discardableResult
  public func train(report: (TrainingEvent) -> Decision = { _ in .continue }) throws -> TrainingEnd {
    try claim?.begin(totalSteps: trainer.total)
    do {
      let end = try trainer.run(report: report)
      try claim?.end(end.isComplete ? .finished : .stopped)
      return end
    } catch {
      // The first error is the one to tell, also where its being written down fails too.
      try? claim?.end(.failed, reason: "\(error)")
      throw error
    }
  }

  /// What a run was told, with new limits; its folder or one of its checkpoints may be named.
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

/// What may be changed of a run that goes on; nil leaves what it was told.
public struct ResumedLimits: Sendable {
  /// Steps of the whole run.
  public var steps: Int?
  /// Tokens of the whole run.
  public var maximumTokens: Int?
  /// Seconds of the part that begins.
  public var maximumSeconds: Double?

  /// New limits.
  public init(steps: Int? = nil, maximumTokens: Int? = nil, maximumSeconds: Double? = nil) {
    (self.steps, self.maximumTokens, self.maximumSeconds) = (steps, maximumTokens, maximumSeconds)
  }

  /// Whether anything is to change.
  fileprivate var areGiven: Bool { steps != nil || maximumTokens != nil || maximumSeconds != nil }

  fileprivate func apply(to settings: inout TrainingSettings) {
    // Where the tokens alone determined the steps, they still do.
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

  /// The one that a model's tokenizer is that of.
  var first: TrainingData { corpora[0].data }

  func training(for settings: any RunSettings) throws -> [WeightedSequences] {
    try corpora.map { data, weight in
      guard let blocks = try blocks(of: [data], .train, for: settings, remainder: .dropped) else {
        throw PackingError.noDocuments
      }
      return WeightedSequences(blocks, weight: weight)
    }
  }

  /// A task with the model that a run begins with. The tokenizer of a model to begin with, where it has one, is that of
  /// the data.
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
    // The held-out documents of all corpora, one after the other.
    let validation = try blocks(of: corpora.map { $0.data }, .validation, for: settings, remainder: .padded)
    return TaskParts(
      data: first, validation: validation, device: device,
      generator: Generator(seed: settings.training.seed, device: device))
  }

  private func blocks(
    of data: [TrainingData], _ split: DataSplit, for settings: any RunSettings, remainder: PackedSequences.Remainder
  ) throws -> PackedSequences? {
    let model = settings.model
    return try first.blocks(
      of: data.flatMap { $0.set.shards(split) }, chunkSize: model.chunkSize,
      sequenceChunks: settings.training.sequenceLength / model.chunkSize, padding: model.special.padding,
      remainder: remainder)
  }
}
