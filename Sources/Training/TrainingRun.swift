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
  /// The device it runs on.
  public let device: Device

  /// Begins a run. Its folder is made once data and models have been read.
  ///
  /// - Throws: an error of the data or the autoencoder, or ``TrainingError``.
  public init(_ record: RunRecord, in url: URL) throws {
    let device = try Device(parsing: record.device)
    let data = try TrainingData(path: record.data)
    let generator = Generator(seed: record.settings.seed, device: device)
    let task: any TrainingTask
    switch record.model {
    case .autoencoder(let configuration):
      let model =
        try record.initialFolder(for: data)?.loadAutoencoder(configuration, device: device)
        ?? Autoencoder(configuration, generator: generator)
      task = AutoencoderTask(
        model, validation: try data.validation(for: record), tokenizer: data.tokenizerFile)
    case .languageModel(let configuration, let path, let leadIn):
      let model =
        try record.initialFolder(for: data)?.loadLanguageModel(
          configuration, autoencoder: path == record.initialModel ? nil : URL(fileURLWithPath: path),
          generator: generator)
        ?? ContinuousLanguageModel(
          configuration, autoencoder: try Self.autoencoder(at: path, for: data, device: device), generator: generator)
      task = LanguageModelTask(
        model, leadIn: leadIn, validation: try data.validation(for: record), tokenizer: data.tokenizerFile)
    case .autoregressive(let configuration):
      let model =
        try record.initialFolder(for: data)?.loadAutoregressiveModel(configuration, device: device)
        ?? AutoregressiveModel(configuration, generator: generator)
      task = AutoregressiveTask(model, validation: try data.validation(for: record), tokenizer: data.tokenizerFile)
    }
    let corpus = try data.training(for: record)
    let folder = try RunFolder(creating: url)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(try encoder.encode(record), to: folder.recordURL.path)
    (self.record, self.folder, self.task, self.device, step) = (record, folder, task, device, 0)
    trainer = try Trainer(task, on: corpus, settings: record.settings, folder: folder, device: device)
  }

  /// Takes up a run at its last checkpoint.
  ///
  /// - Parameter steps: a new number of steps of the whole run; nil leaves it.
  /// - Throws: an error of the data or the checkpoint, or ``TrainingError``.
  public init(resuming url: URL, steps: Int? = nil) throws {
    let folder = try RunFolder(opening: url)
    var record: RunRecord
    do {
      record = try JSONDecoder().decode(RunRecord.self, from: try Data(contentsOf: folder.recordURL))
    } catch {
      throw TrainingError.damagedState(folder.recordURL.path, "the run's settings cannot be read")
    }
    if let steps { record.settings.steps = steps }
    let device = try Device(parsing: record.device)
    let data = try TrainingData(path: record.data)
    let checkpoint = try folder.latestCheckpoint()
    let stored = try ModelFolder(checkpoint)
    let task: any TrainingTask
    switch record.model {
    case .autoencoder:
      task = AutoencoderTask(
        try stored.loadAutoencoder(device: device), validation: try data.validation(for: record),
        tokenizer: data.tokenizerFile)
    case .languageModel(_, _, let leadIn):
      task = LanguageModelTask(
        try stored.loadLanguageModel(device: device), leadIn: leadIn, validation: try data.validation(for: record),
        tokenizer: data.tokenizerFile)
    case .autoregressive:
      task = AutoregressiveTask(
        try stored.loadAutoregressiveModel(device: device), validation: try data.validation(for: record),
        tokenizer: data.tokenizerFile)
    }
    (self.record, self.folder, self.task, self.device) = (record, folder, task, device)
    trainer = try Trainer(
      task, on: try data.training(for: record), settings: record.settings, folder: folder, resuming: checkpoint,
      device: device)
    step = trainer.step
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
