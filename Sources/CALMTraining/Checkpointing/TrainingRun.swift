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
    let device = try Device(parsing: record.device)
    let corpora = try TrainingCorpora(record.data)
    let task = try Self.freshTask(for: record, corpora: corpora, device: device)
    let corpus = try corpora.training(for: record)
    try Trainer.check(record.settings, group)
    let folder = group.rank == 0 ? try RunFolder(creating: url) : RunFolder(at: url)
    claim = try group.rank == 0 ? folder.claim() : nil
    (self.record, self.folder, self.task, self.device, step, damage) = (record, folder, task, device, 0, [])
    trainer = try Trainer(
      task, on: corpus, settings: record.settings, folder: folder, device: device, group: group)
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
    let device = try device ?? Device(parsing: record.device)
    let corpora = try TrainingCorpora(record.data)
    let task =
      try resumption.checkpoint.map { try Self.storedTask(in: $0, for: record, corpora: corpora, device: device) }
      ?? Self.freshTask(for: record, corpora: corpora, device: device)
    (self.record, self.folder, self.task, self.device) = (record, folder, task, device)
    damage = resumption.damage
    trainer = try Trainer(
      task, on: try corpora.training(for: record), settings: record.settings, folder: folder,
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

  /// What a run begins with.
  private static func freshTask(
    for record: RunRecord, corpora: TrainingCorpora, device: Device
  ) throws -> any TrainingTask {
    let data = corpora.first
    let generator = Generator(seed: record.settings.seed, device: device)
    switch record.model {
    case .autoencoder(let configuration):
      let model =
        try record.initialFolder(for: data)?.loadAutoencoder(configuration, device: device)
        ?? Autoencoder(configuration, generator: generator)
      return AutoencoderTask(
        model, validation: try corpora.validation(for: record), tokenizer: data.tokenizerFile)
    case .languageModel(let configuration, let path, let auxiliaryWarmupSteps):
      let model =
        try record.initialFolder(for: data)?.loadLanguageModel(
          configuration, autoencoder: path == record.initialModel ? nil : URL(fileURLWithPath: path),
          generator: generator)
        ?? ContinuousLanguageModel(
          configuration, autoencoder: try autoencoder(at: path, for: data, device: device), generator: generator)
      return LanguageModelTask(
        model, auxiliaryWarmupSteps: auxiliaryWarmupSteps, validation: try corpora.validation(for: record),
        tokenizer: data.tokenizerFile)
    case .autoregressive(let configuration):
      let model =
        try record.initialFolder(for: data)?.loadAutoregressiveModel(configuration, device: device)
        ?? AutoregressiveModel(configuration, generator: generator)
      return AutoregressiveTask(model, validation: try corpora.validation(for: record), tokenizer: data.tokenizerFile)
    }
  }

  /// What a run goes on with.
  private static func storedTask(
    in checkpoint: URL, for record: RunRecord, corpora: TrainingCorpora, device: Device
  ) throws -> any TrainingTask {
    let data = corpora.first
    let stored = try ModelFolder(checkpoint)
    switch record.model {
    case .autoencoder:
      return AutoencoderTask(
        try stored.loadAutoencoder(device: device), validation: try corpora.validation(for: record),
        tokenizer: data.tokenizerFile)
    case .languageModel(_, _, let auxiliaryWarmupSteps):
      return LanguageModelTask(
        try stored.loadLanguageModel(device: device), auxiliaryWarmupSteps: auxiliaryWarmupSteps,
        validation: try corpora.validation(for: record),
        tokenizer: data.tokenizerFile)
    case .autoregressive:
      return AutoregressiveTask(
        try stored.loadAutoregressiveModel(device: device), validation: try corpora.validation(for: record),
        tokenizer: data.tokenizerFile)
    }
  }

  /// What a run was told, with new limits; its folder or one of its checkpoints may be named.
  ///
  /// - Throws: ``TrainingError``.
  public static func record(resuming path: String, limits: ResumedLimits = ResumedLimits()) throws -> RunRecord {
    try record(in: try RunFolder.locate(URL(fileURLWithPath: path)).run, limits: limits)
  }

  private static func record(in folder: RunFolder, limits: ResumedLimits) throws -> RunRecord {
    guard let data = try? Data(contentsOf: folder.recordURL),
      var record = try? JSONDecoder().decode(RunRecord.self, from: data)
    else { throw TrainingError.damagedRecord(folder.recordURL.path) }
    limits.apply(to: &record)
    return record
  }

  private static func autoencoder(at path: String, for data: TrainingData, device: Device) throws -> Autoencoder {
    let folder = try ModelFolder(URL(fileURLWithPath: path))
    let autoencoder = try folder.loadAutoencoder(device: device)
    try data.check(against: folder, vocabularySize: autoencoder.configuration.vocabularySize)
    return autoencoder
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

  fileprivate func apply(to record: inout RunRecord) {
    let chunkSize = record.model.chunkSize
    // Where the tokens alone said how many steps there are, they go on to do so.
    let isByTokens = record.settings.steps == record.settings.stepsOfTokens(chunkSize: chunkSize)
    if let maximumTokens {
      record.settings.maximumTokens = maximumTokens
      if isByTokens { record.settings.steps = record.settings.stepsOfTokens(chunkSize: chunkSize) ?? 0 }
    }
    if let steps { record.settings.steps = steps }
    if let maximumSeconds { record.settings.maximumSeconds = maximumSeconds }
  }
}

extension RunRecord {
  fileprivate var padding: Int? {
    switch model {
    case .autoencoder(let configuration): configuration.special.padding
    case .languageModel(let configuration, _, _): configuration.special.padding
    case .autoregressive(let configuration): configuration.special.padding
    }
  }

  /// The model to begin with, whose tokenizer, where it has one, is that of the data.
  fileprivate func initialFolder(for data: TrainingData) throws -> ModelFolder? {
    guard let initialModel else { return nil }
    let folder = try ModelFolder(URL(fileURLWithPath: initialModel))
    let vocabularySize =
      switch model {
      case .autoencoder(let configuration): configuration.vocabularySize
      case .languageModel(let configuration, _, _): configuration.vocabularySize
      case .autoregressive(let configuration): configuration.vocabularySize
      }
    try data.check(against: folder, vocabularySize: vocabularySize)
    return folder
  }
}

/// The data of a run: one prepared data set, or several that share a tokenizer.
private struct TrainingCorpora {
  private let corpora: [(data: TrainingData, weight: Double)]

  init(_ corpora: [RunRecord.Corpus]) throws {
    if corpora.isEmpty { throw PackingError.noDocuments }
    self.corpora = try corpora.map { (try TrainingData(path: $0.path), $0.weight) }
    for other in self.corpora where other.data.tokenizer.contentHash != first.tokenizer.contentHash {
      throw TrainingError.tokenizersDiffer(other.data.set.path, first.set.path)
    }
  }

  /// The one that a model's tokenizer is that of.
  var first: TrainingData { corpora[0].data }

  func training(for record: RunRecord) throws -> [WeightedSequences] {
    try corpora.map { data, weight in
      guard let blocks = try blocks(of: [data], .train, for: record, remainder: .dropped) else {
        throw PackingError.noDocuments
      }
      return WeightedSequences(blocks, weight: weight)
    }
  }

  /// The held-out documents of all corpora, one after the other.
  func validation(for record: RunRecord) throws -> PackedSequences? {
    try blocks(of: corpora.map { $0.data }, .validation, for: record, remainder: .padded)
  }

  private func blocks(
    of data: [TrainingData], _ split: DataSplit, for record: RunRecord, remainder: PackedSequences.Remainder
  ) throws -> PackedSequences? {
    try first.blocks(
      of: data.flatMap { $0.set.shards(split) }, chunkSize: record.model.chunkSize,
      sequenceChunks: record.settings.sequenceChunks, padding: record.padding, remainder: remainder)
  }
}
