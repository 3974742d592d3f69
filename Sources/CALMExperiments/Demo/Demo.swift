import CALM
import CALMCorpus
import CALMSupport
import CALMTokenizer
import CALMTraining
import Foundation
import Torch

/// A demo: text, tokenizer, data set, autoencoder if the head needs one, language model, evaluation and generated texts,
/// all in one folder.
public final class Demo {
  /// The noise on the latent with which the autoencoder is evaluated.
  private static let noiseLevels = [0, 0.1, 0.2, 0.3, 0.4]

  /// Texts that are generated together.
  private static let textsPerBatch = 20

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
  /// When the demo began.
  private var start = ContinuousClock.now

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
    results = DemoResults(
      folder: folder.path, device: device.description, precision: precision.rawValue, head: recipe.head.rawValue)
  }

  /// Runs all stages. A failure or a stop before training begins leaves no folder.
  ///
  /// - Parameter report: called with each event; its result can stop the demo. A training run then writes a checkpoint.
  /// - Throws: the error of a stage.
  public func run(report: @escaping (DemoEvent) -> Decision = { _ in .continue }) throws -> DemoEnd {
    start = .now
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
    if recipe.head.usesAutoencoder { try stage(.autoencoder) { _ in try trainAutoencoder(on: data, report) } }
    try stage(.languageModel) { _ in try trainLanguageModel(on: data, report) }
    if recipe.isDistilled { try stage(.distillation) { _ in try distill(report) } }
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
      AutoencoderSettings(model: configuration, training: recipe.autoencoder), in: "autoencoder", .autoencoder,
      until: recipe.autoencoderShare, report: report)
    let model = try ModelFolder(url("autoencoder/model")).loadAutoencoder(device: device)
    model.convert(to: precision)
    results.autoencoderParameters = model.parameterCount
    results.autoencoder = try heldOut(data).map { try model.evaluate(on: $0, noise: Self.noiseLevels, seed: seed) }
  }

  private func trainLanguageModel(on data: TrainingData, _ report: @escaping (DemoEvent) -> Decision) throws {
    let settings = LanguageModelSettings(
      model: recipe.languageModelConfiguration(for: data),
      autoencoder: recipe.head.usesAutoencoder ? url("autoencoder/model").path : nil,
      auxiliaryWarmupSteps: recipe.auxiliaryLossWeight > 0 ? recipe.auxiliaryWarmupSteps : 0,
      training: recipe.languageModel)
    let last = try train(
      settings, in: "lm", .languageModel,
      until: 1 - recipe.samplesShare - (recipe.isDistilled ? recipe.distillationShare : 0),
      laterSteps: recipe.isDistilled ? 0 : recipe.evaluationSteps, report: report)
    results.languageModelParameters = try ModelFolder(url("lm/model")).loadLanguageModel(device: device).parameterCount
    results.languageModelSteps = last.step
    results.trainingLoss = last.parts[recipe.head.rawValue] ?? last.loss
  }

  private func distill(_ report: @escaping (DemoEvent) -> Decision) throws {
    var settings = try DistillationSettings(teacher: url("lm/model"))
    settings.paths = 1
    settings.training = recipe.distillation
    let last = try train(
      settings, in: "student", .distillation, until: 1 - recipe.samplesShare, laterSteps: recipe.evaluationSteps,
      report: report)
    results.distillationSteps = last.step
  }

  /// Trains a model to the end of its run.
  ///
  /// - Parameters:
  ///   - share: the fraction of the demo's time that may pass before the run and the work after it have ended.
  ///   - laterSteps: the time of that work, in steps.
  /// - Returns: the report of the last step.
  @discardableResult
  private func train(
    _ settings: some RunSettings, in name: String, _ stage: DemoStage, until share: Double,
    laterSteps: Int = 0, report: @escaping (DemoEvent) -> Decision
  ) throws -> StepReport {
    var settings = settings
    settings.training = training(settings.training)
    settings.inputs.data = [Corpus(path: url("data").path)]
    settings.inputs.device = device.description
    let record = RunRecord(settings, program: program)
    var last: StepReport?
    func handle(_ event: TrainingEvent, total: Int?) -> Decision {
      hasBegunTraining = true
      if case .step(let step) = event { last = step }
      return report(.training(stage, event, total: total))
    }
    let end: TrainingEnd
    if let duration = recipe.duration {
      let run = TimedRun(record: record, folder: url(name), deadline: start + duration * share, laterSteps: laterSteps)
      end = try run.train(report: handle) { report(.planned(stage, steps: $0, secondsPerStep: $1)) }
    } else {
      end = try TrainingRun(record, in: url(name)).train { handle($0, total: settings.training.steps) }
    }
    guard end.isComplete, let last else {
      throw Stop(end: .stoppedInTraining(type(of: settings).kind, run: url(name).path, step: last?.step ?? 0))
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

  /// The language model, distilled if its head is.
  private func loadModel() throws -> ContinuousLanguageModel {
    let model = try ModelFolder(url(recipe.modelFolder)).loadLanguageModel(device: device)
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

  /// Generates texts in batches, and no further batch once the time is over: a model that was trained for a short time is
  /// uncertain, and sampling from it at a low temperature takes long.
  private func generate(progress: (Int, Int?) throws -> Void) throws {
    let (model, tokenizer) = (try loadModel(), try Tokenizer(contentsOf: tokenizerFile))
    var options = GenerationOptions(
      temperature: try Temperature.number(parsing: recipe.temperature), maximumTokens: recipe.maximumNewTokens,
      seed: seed)
    results.temperature = recipe.temperature
    repeat {
      options.sequences = min(Self.textsPerBatch, recipe.generatedTexts - results.samples.count)
      let generator = try TextGenerator(model, tokenizer: tokenizer, prompt: "", options: options)
      while try generator.step() != nil { try progress(results.samples.count + 1, recipe.generatedTexts) }
      results.samples += generator.texts
      options.seed &+= 1
    } while results.samples.count < recipe.generatedTexts && !isOver
    guard source == nil else { return }
    let report = StoryReport(judging: results.samples)
    results.report = report
    results.acceptedSentences = report.acceptedFraction
    results.consistentStories = report.consistentFraction
    results.completeStories = report.completeFraction
  }

  /// Whether the recipe's time has passed.
  private var isOver: Bool { recipe.duration.map { start.duration(to: .now) > $0 } ?? false }
}
