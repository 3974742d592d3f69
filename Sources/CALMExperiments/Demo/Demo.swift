import CALM
import CALMCorpus
import CALMSupport
import CALMTokenizer
import CALMTraining
import Foundation
import Torch

/// A demo: text, tokenizer, data set, autoencoder, language model, evaluation and generated texts, all in one folder.
public final class Demo {
  /// The noise on the latent with which the autoencoder is evaluated.
  private static let noiseLevels = [0, 0.1, 0.2, 0.3, 0.4]

  /// The sizes.
  public let recipe: DemoRecipe
  /// The results of the stages that ended.
  public private(set) var results: DemoResults
  private let folder: URL
  /// The text; nil for synthetic stories.
  private let source: (any TextSource)?
  private let device: Device
  private let precision: DType
  private let seed: UInt64
  private let program: String
  private var hasBegunTraining = false

  /// Thrown inside to end the demo early.
  private struct Stop: Error { let end: DemoEnd }

  /// - Parameters:
  ///   - folder: a folder that does not exist yet.
  ///   - source: the text; nil for synthetic stories.
  ///   - seed: determines the stories, the weights and the samples.
  ///   - program: the program's name and version, for the records.
  public init(
    _ recipe: DemoRecipe, in folder: URL, source: (any TextSource)? = nil, device: Device = .cpu, precision: DType,
    seed: UInt64, program: String
  ) {
    (self.recipe, self.folder, self.source, self.device) = (recipe, folder, source, device)
    (self.precision, self.seed, self.program) = (precision, seed, program)
    results = DemoResults(folder: folder.path, device: device.description, precision: precision.rawValue)
  }

  /// Runs all stages. A failure or a stop before training begins leaves no folder.
  ///
  /// - Parameter report: called with each event; its result can stop the demo. A training run then writes a checkpoint.
  /// - Throws: the error of a stage.
  public func run(report: @escaping (DemoEvent) -> Decision = { _ in .continue }) throws -> DemoEnd {
    let files = FileManager.default
    try files.createDirectory(at: folder.deletingLastPathComponent(), withIntermediateDirectories: true)
    // Fails if the folder exists, so the removal below concerns only files of this demo.
    try files.createDirectory(at: folder, withIntermediateDirectories: false)
    do {
      try runStages(report)
      return .finished
    } catch {
      if !hasBegunTraining { try? files.removeItem(at: folder) }
      if let stop = error as? Stop { return stop.end }
      throw error
    }
  }

  private func runStages(_ report: @escaping (DemoEvent) -> Decision) throws {
    func check(_ event: DemoEvent) throws {
      if report(event) == .stop { throw Stop(end: hasBegunTraining ? .stopped : .stoppedBeforeTraining) }
    }
    func stage(_ stage: DemoStage, _ body: (_ progress: (Int, Int?) throws -> Void) throws -> Void) throws {
      try check(.began(stage))
      let start = ContinuousClock.now
      try body { completed, total in try check(.progress(stage, completed: completed, total: total)) }
      let seconds = start.duration(to: .now).seconds
      results.stages.append(.init(name: stage, seconds: seconds))
      try check(.finished(stage, seconds: seconds))
    }
    try stage(.text, writeCorpus)
    try stage(.tokenizer, trainTokenizer)
    try stage(.data, prepareData)
    let data = try TrainingData(path: url("data").path)
    try stage(.autoencoder) { _ in try trainAutoencoder(on: data, report) }
    try stage(.languageModel) { _ in try trainLanguageModel(on: data, report) }
    try stage(.evaluation) { _ in try evaluate(on: data) }
    try stage(.samples, generate)
  }

  // MARK: Files

  private func url(_ name: String) -> URL { folder.appendingPathComponent(name) }
  private var corpus: String { url("corpus.jsonl").path }
  private var tokenizerFile: URL { url("tokenizer.json") }

  // MARK: Text

  /// Writes the text as JSON lines, which all later stages read, whatever its source.
  private func writeCorpus(progress: (Int, Int?) throws -> Void) throws {
    let source =
      source
      ?? TextSequence(
        SyntheticStories().stories(seed: seed, bytes: recipe.corpusBytes), name: "synthetic stories",
        totalBytes: recipe.corpusBytes)
    results.bytes = try JSONLinesWriter.write(source, to: corpus) { try progress($0.bytesRead, $0.totalBytes) }
    results.documents = source.progress.documents
  }

  private func trainTokenizer(progress: (Int, Int?) throws -> Void) throws {
    let reader = try CorpusReader(paths: [corpus])
    let tokenizer = try TextPipeline.trainTokenizer(vocabularySize: recipe.vocabularySize, on: reader) {
      try progress(reader.progress.bytesRead, reader.progress.totalBytes)
    }
    try tokenizer.save(to: tokenizerFile)
    results.vocabularySize = tokenizer.vocabularySize
  }

  private func prepareData(progress: (Int, Int?) throws -> Void) throws {
    var pipeline = try TextPipeline(Tokenizer(contentsOf: tokenizerFile), at: tokenizerFile.path, createdBy: program)
    pipeline.preparation.validationFraction = recipe.validationFraction
    pipeline.preparation.seed = seed
    let manifest = try pipeline.prepare(CorpusReader(paths: [corpus]), into: url("data").path) { event in
      if case .encoded(let read, _) = event { try progress(read.bytesRead, read.totalBytes) }
      return .continue
    }
    (results.trainingTokens, results.validationTokens) = (manifest.train.tokens, manifest.validation.tokens)
  }

  // MARK: Models

  private func trainAutoencoder(on data: TrainingData, _ report: @escaping (DemoEvent) -> Decision) throws {
    let configuration = recipe.autoencoderConfiguration(for: data)
    try train(
      AutoencoderSettings(model: configuration, training: recipe.autoencoder), in: "autoencoder", .autoencoder, report)
    let model = try ModelFolder(url("autoencoder/model")).loadAutoencoder(device: device)
    model.convert(to: precision)
    results.autoencoderParameters = model.parameterCount
    results.autoencoder = try heldOut(data).map { try model.evaluate(on: $0, noise: Self.noiseLevels, seed: seed) }
  }

  private func trainLanguageModel(on data: TrainingData, _ report: @escaping (DemoEvent) -> Decision) throws {
    let settings = LanguageModelSettings(
      model: recipe.languageModelConfiguration(for: data), autoencoder: url("autoencoder/model").path,
      auxiliaryWarmupSteps: recipe.auxiliaryWarmupSteps, training: recipe.languageModel)
    let last = try train(settings, in: "lm", .languageModel, report)
    results.languageModelParameters = try loadModel().parameterCount
    results.languageModelSteps = last.step
    results.trainingEnergyScore = last.parts["energy"] ?? last.loss
  }

  /// Trains a model to the end of its run.
  ///
  /// - Returns: the report of the last step.
  @discardableResult
  private func train(
    _ settings: some RunSettings, in name: String, _ stage: DemoStage, _ report: @escaping (DemoEvent) -> Decision
  ) throws -> StepReport {
    var settings = settings
    settings.training = training(settings.training)
    settings.inputs = RunInputs(data: [Corpus(path: url("data").path)])
    settings.inputs.device = device.description
    let run = try TrainingRun(RunRecord(settings, program: program), in: url(name))
    hasBegunTraining = true
    var last: StepReport?
    let end = try run.train { event in
      if case .step(let step) = event { last = step }
      return report(.training(stage, event, total: settings.training.steps))
    }
    guard end.isComplete, let last else {
      throw Stop(end: .stoppedInTraining(type(of: settings).kind, run: url(name).path, step: run.trainer.step))
    }
    return last
  }

  private func training(_ settings: TrainingSettings) -> TrainingSettings {
    var settings = settings
    settings.seed = seed
    settings.precision = Precision(precision)
    settings.evaluationInterval = max(1, settings.steps / 4)
    settings.checkpointInterval = max(1, settings.steps / 4)
    settings.evaluationSequences = 16
    settings.schedule.warmupSteps = min(100, max(1, settings.steps / 10))
    return settings
  }

  private func heldOut(_ data: TrainingData) throws -> PackedSequences? {
    try data.sequences(
      .validation, chunkSize: recipe.chunkSize, sequenceChunks: recipe.evaluationChunks, remainder: .padded)
  }

  private func loadModel() throws -> ContinuousLanguageModel {
    let model = try ModelFolder(url("lm/model")).loadLanguageModel(device: device)
    model.convert(to: precision)
    model.autoencoder?.convert(to: precision)
    return model
  }

  private func evaluate(on data: TrainingData) throws {
    results.languageModel = try heldOut(data).map {
      try loadModel().evaluate(on: $0, sequences: recipe.evaluationSequences, samples: 8, seed: seed)
    }
  }

  // MARK: Samples

  private func generate(progress: (Int, Int?) throws -> Void) throws {
    var options = GenerationOptions()
    options.temperature = try Temperature.number(parsing: recipe.temperature)
    options.sequences = recipe.generatedTexts
    options.seed = seed
    options.maximumTokens = recipe.maximumNewTokens
    let generator = try TextGenerator(
      loadModel(), tokenizer: Tokenizer(contentsOf: tokenizerFile), prompt: "", options: options)
    var tokens = 0
    while try generator.step() != nil {
      tokens += recipe.chunkSize
      try progress(tokens, recipe.maximumNewTokens)
    }
    (results.samples, results.temperature) = (generator.texts, recipe.temperature)
    guard source == nil else { return }
    let report = StoryReport(judging: generator.texts)
    results.report = report
    results.acceptedSentences = report.acceptedFraction
    results.consistentStories = report.consistentFraction
    results.completeStories = report.completeFraction
  }
}
