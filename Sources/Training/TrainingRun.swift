import CALM
import Files
import Foundation
import TextCorpus
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
  private let claim: RunClaim

  /// Begins a run. Its folder is made once data and models have been read.
  ///
  /// - Throws: an error of the data or the autoencoder, or ``TrainingError``.
  public init(_ record: RunRecord, in url: URL) throws {
    let device = try Device(parsing: record.device)
    let data = try TrainingData(path: record.data)
    let task = try Self.freshTask(for: record, data: data, device: device)
    let corpus = try data.training(for: record)
    let folder = try RunFolder(creating: url)
    claim = try folder.claim()
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(try encoder.encode(record), to: folder.recordURL.path)
    (self.record, self.folder, self.task, self.device, step, damage) = (record, folder, task, device, 0, [])
    trainer = try Trainer(task, on: corpus, settings: record.settings, folder: folder, device: device)
  }

  /// Takes up a run at its last checkpoint, or at its beginning where it ended before the first.
  ///
  /// - Parameter steps: a new number of steps of the whole run; nil leaves it.
  /// - Throws: an error of the data or the checkpoint, or ``TrainingError``.
  public init(resuming url: URL, steps: Int? = nil) throws {
    let folder = try RunFolder(opening: url)
    claim = try folder.claim()
    var record: RunRecord
    do {
      record = try JSONDecoder().decode(RunRecord.self, from: try Data(contentsOf: folder.recordURL))
    } catch {
      throw TrainingError.damagedRecord(folder.recordURL.path)
    }
    if let steps { record.settings.steps = steps }
    let device = try Device(parsing: record.device)
    let data = try TrainingData(path: record.data)
    let (checkpoint, damage) = try folder.soundCheckpoint()
    let task =
      try checkpoint.map { try Self.storedTask(in: $0, for: record, data: data, device: device) }
      ?? Self.freshTask(for: record, data: data, device: device)
    (self.record, self.folder, self.task, self.device, self.damage) = (record, folder, task, device, damage)
    trainer = try Trainer(
      task, on: try data.training(for: record), settings: record.settings, folder: folder, resuming: checkpoint,
      device: device)
    step = trainer.step
  }

  /// Trains to the last step, or until `report` says to stop, and writes down what became of the run.
  ///
  /// - Returns: whether all steps were taken.
  @discardableResult
  public func train(report: (TrainingEvent) -> TrainingDecision = { _ in .goOn }) throws -> Bool {
    try claim.begin(totalSteps: record.settings.steps)
    do {
      let isComplete = try trainer.run(report: report)
      try claim.end(isComplete ? .finished : .stopped)
      return isComplete
    } catch {
      // The first error is the one to tell, also where its being written down fails too.
      try? claim.end(.failed, reason: "\(error)")
      throw error
    }
  }

  /// What a run begins with.
  private static func freshTask(
    for record: RunRecord, data: TrainingData, device: Device
  ) throws -> any TrainingTask {
    let generator = Generator(seed: record.settings.seed, device: device)
    switch record.model {
    case .autoencoder(let configuration):
      let model =
        try record.initialFolder(for: data)?.loadAutoencoder(configuration, device: device)
        ?? Autoencoder(configuration, generator: generator)
      return AutoencoderTask(
        model, validation: try data.validation(for: record), tokenizer: data.tokenizerFile)
    case .languageModel(let configuration, let path, let leadIn):
      let model =
        try record.initialFolder(for: data)?.loadLanguageModel(
          configuration, autoencoder: path == record.initialModel ? nil : URL(fileURLWithPath: path),
          generator: generator)
        ?? ContinuousLanguageModel(
          configuration, autoencoder: try autoencoder(at: path, for: data, device: device), generator: generator)
      return LanguageModelTask(
        model, leadIn: leadIn, validation: try data.validation(for: record), tokenizer: data.tokenizerFile)
    case .autoregressive(let configuration):
      let model =
        try record.initialFolder(for: data)?.loadAutoregressiveModel(configuration, device: device)
        ?? AutoregressiveModel(configuration, generator: generator)
      return AutoregressiveTask(model, validation: try data.validation(for: record), tokenizer: data.tokenizerFile)
    }
  }

  /// What a run goes on with.
  private static func storedTask(
    in checkpoint: URL, for record: RunRecord, data: TrainingData, device: Device
  ) throws -> any TrainingTask {
    let stored = try ModelFolder(checkpoint)
    switch record.model {
    case .autoencoder:
      return AutoencoderTask(
        try stored.loadAutoencoder(device: device), validation: try data.validation(for: record),
        tokenizer: data.tokenizerFile)
    case .languageModel(_, _, let leadIn):
      return LanguageModelTask(
        try stored.loadLanguageModel(device: device), leadIn: leadIn, validation: try data.validation(for: record),
        tokenizer: data.tokenizerFile)
    case .autoregressive:
      return AutoregressiveTask(
        try stored.loadAutoregressiveModel(device: device), validation: try data.validation(for: record),
        tokenizer: data.tokenizerFile)
    }
  }

  private static func autoencoder(at path: String, for data: TrainingData, device: Device) throws -> Autoencoder {
    let folder = try ModelFolder(URL(fileURLWithPath: path))
    let autoencoder = try folder.loadAutoencoder(device: device)
    try data.check(against: folder, vocabularySize: autoencoder.configuration.vocabularySize)
    return autoencoder
  }
}

extension RunRecord {
  fileprivate var chunkSize: Int {
    switch model {
    case .autoencoder(let configuration): configuration.chunkSize
    case .languageModel(let configuration, _, _): configuration.chunkSize
    case .autoregressive: 1
    }
  }

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

extension TrainingData {
  fileprivate func training(for record: RunRecord) throws -> [WeightedBlocks] {
    guard
      let blocks = try blocks(
        .train, chunkSize: record.chunkSize, blockChunks: record.settings.blockChunks, padding: record.padding,
        remainder: .dropped)
    else { throw PackingError.noDocuments }
    return [WeightedBlocks(blocks)]
  }

  fileprivate func validation(for record: RunRecord) throws -> PackedBlocks? {
    try blocks(
      .validation, chunkSize: record.chunkSize, blockChunks: record.settings.blockChunks, padding: record.padding,
      remainder: .padded)
  }
}
