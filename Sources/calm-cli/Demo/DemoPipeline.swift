import CALM
import CALMCorpus
import CALMSupport
import CALMTerminal
import CALMTokenizer
import CALMTraining
import Foundation
import Torch

/// The whole way from text to a trained model and back to text, stage by stage, each under a bar and with one line of
/// result. Everything stays in one folder.
final class DemoPipeline {
  private let recipe: DemoRecipe
  private let folder: URL
  /// The user's text; nil tells the built-in tales.
  private let input: CorpusReader?
  private let compute: ComputeSetting
  private let seed: UInt64
  private(set) var figures: DemoFigures
  /// Whether the folder holds a run, which can be gone on with.
  private var hasBegunTraining = false

  init(
    _ recipe: DemoRecipe, in folder: URL, input: CorpusReader?, compute: ComputeSetting, seed: UInt64
  ) {
    self.recipe = recipe
    self.folder = folder
    self.input = input
    self.compute = compute
    self.seed = seed
    figures = DemoFigures(folder: folder.path, setting: compute.summary)
  }

  private func place(_ name: String) -> URL { folder.appendingPathComponent(name) }
  private var corpus: URL { place("corpus.jsonl") }
  private var data: URL { place("data") }
  /// The finished language model.
  private var model: URL { place("lm/model") }

  /// Twice the steps of the language model's training.
  var longerTraining: Int { recipe.languageModel.steps * 2 }

  /// Makes the folder and runs all stages in it. What fails, or is interrupted, before a training has begun leaves no
  /// folder.
  ///
  /// - Throws: ``DemoInterruption``, or an error of a stage.
  func run() throws {
    let files = FileManager.default
    try files.createDirectory(at: folder.deletingLastPathComponent(), withIntermediateDirectories: true)
    // Fails where somebody else has made it by now: only what is this demo's own may be removed.
    try files.createDirectory(at: folder, withIntermediateDirectories: false)
    Interruption.watch()
    do {
      try runStages()
    } catch {
      if !hasBegunTraining { try? files.removeItem(at: folder) }
      throw error
    }
  }

  private func runStages() throws {
    try stage("text", writeCorpus)
    try stage("tokenizer", trainTokenizer)
    try stage("data", prepareData)
    let prepared = try TrainingData(path: data.path)
    try stage("autoencoder") { try trainAutoencoder(prepared) }
    try stage("language model") { try trainLanguageModel(prepared) }
    try stage("evaluation") { try evaluate(prepared) }
    try stage("samples", writeSamples)
  }

  /// Runs a stage and tells its result.
  private func stage(_ name: String, _ body: () throws -> String) throws {
    try heedInterruption()
    let start = ContinuousClock.now
    let result = try body()
    let seconds = start.duration(to: .now).seconds
    figures.stages.append(.init(name: name, result: result, seconds: seconds))
    StandardError.note("\(name): \(result) (\(String(format: "%.0f", seconds)) s)")
  }

  /// Ends the demo at an interruption outside the trainings, which end by themselves.
  private func heedInterruption() throws {
    guard Interruption.isRequested else { return }
    let kept = hasBegunTraining ? "what was trained is in \(relativePath(folder.path))" : "nothing was trained or kept"
    throw DemoInterruption(line: "stopped; \(kept)")
  }

  /// Writes the documents as JSON lines, whatever they came from: the later stages, and whoever goes on from here,
  /// read one file.
  private func writeCorpus() throws -> String {
    guard FileManager.default.createFile(atPath: corpus.path, contents: nil) else {
      throw TrainingError.cannotWrite(corpus.path, "the folder is not writable")
    }
    let file = try FileHandle(forWritingTo: corpus)
    defer { try? file.close() }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    var (documents, bytes, buffer) = (0, 0, Data())
    func add(_ text: String) throws {
      try heedInterruption()
      buffer += try encoder.encode(["text": text]) + Data("\n".utf8)
      (documents, bytes) = (documents + 1, bytes + text.utf8.count)
      if buffer.count > 1 << 20 {
        try file.write(contentsOf: buffer)
        buffer.removeAll(keepingCapacity: true)
      }
    }
    let bar = ProgressBar(label: "text", total: input?.progress.totalBytes ?? recipe.corpusBytes)
    defer { bar.finish() }
    if let input {
      while let document = try input.next() {
        try add(document.text)
        bar.update(completed: input.progress.bytesRead)
      }
    } else {
      for story in SyntheticStories().stories(seed: seed, bytes: recipe.corpusBytes) {
        try add(story)
        bar.update(completed: bytes)
      }
    }
    try file.write(contentsOf: buffer)
    let amount = input == nil ? "\(grouped(documents)) stories" : counted(documents, "document")
    return "\(amount), \(shortBytes(bytes))\(input?.progress.remarks ?? "")"
  }

  private func trainTokenizer() throws -> String {
    var trainer = try BPETrainer(vocabularySize: recipe.vocabulary)
    let reader = try CorpusReader(paths: [corpus.path])
    while let document = try reader.next() {
      try heedInterruption()
      trainer.add(document.text)
    }
    let tokenizer = try trainer.train()
    try tokenizer.save(to: place("tokenizer.json"))
    return "\(grouped(tokenizer.vocabularySize)) tokens"
  }

  private func prepareData() throws -> String {
    let tokenizer = try Tokenizer(contentsOf: place("tokenizer.json"))
    var preparation = DataPreparation(
      vocabulary: try TokenVocabulary(of: tokenizer, at: place("tokenizer.json").path),
      createdBy: "calm \(calmVersion)")
    preparation.validationShare = recipe.validation
    preparation.seed = seed
    preparation.attachments = ["tokenizer.json": try Data(contentsOf: place("tokenizer.json"))]
    let manifest = try preparation.run(
      try CorpusReader(paths: [corpus.path]), into: data.path, encode: { tokenizer.encode($0) },
      progress: { _ in
        try heedInterruption()
        return .continue
      })
    return "\(shortCount(manifest.train.tokens)) tokens to train on, \(shortCount(manifest.validation.tokens)) held out"
  }

  private func settings(_ usual: TrainingSettings) -> TrainingSettings {
    var settings = usual
    settings.seed = seed
    settings.precision = Precision(compute.precision)
    settings.evaluationInterval = max(1, settings.steps / 4)
    settings.checkpointInterval = max(1, settings.steps / 4)
    settings.evaluationBlocks = 16
    settings.schedule.warmupSteps = min(100, max(1, settings.steps / 10))
    return settings
  }

  /// Trains a run to its end.
  ///
  /// - Parameter name: of the run in the folder, and of the subcommand of `calm train` that goes on with it.
  /// - Returns: the last step.
  /// - Throws: ``DemoInterruption``, with a checkpoint written; or an error of the training.
  @discardableResult
  private func train(_ trained: some RunSettings, in name: String) throws -> StepReport {
    var trained = trained
    trained.training = settings(trained.training)
    trained.inputs = RunInputs(data: [Corpus(path: data.path)])
    trained.inputs.device = compute.device.description
    let record = RunRecord(trained, program: "calm \(calmVersion)")
    let run = try TrainingRun(record, in: place(name))
    hasBegunTraining = true
    let reporter = TrainingReporter(label: name, total: trained.training.steps, isQuiet: true)
    defer { reporter.finish() }
    guard try run.train(report: reporter.report).isComplete, let last = reporter.last else {
      let command = "calm train \(name) --resume \(relativePath(place(name).path))"
      throw DemoInterruption(line: "stopped after step \(run.trainer.step); go on with: \(command)")
    }
    return last
  }

  private func trainAutoencoder(_ prepared: TrainingData) throws -> String {
    let configuration = recipe.autoencoderConfiguration(for: prepared)
    try train(AutoencoderSettings(model: configuration, training: recipe.autoencoder), in: "autoencoder")
    let model = try ModelFolder(place("autoencoder/model")).loadAutoencoder(device: compute.device)
    model.convert(to: compute.precision)
    guard let held = try prepared.blocks(.validation, chunkSize: 4, sequenceChunks: 256, remainder: .padded) else {
      return "trained (no text was held out)"
    }
    let result = try model.evaluate(on: held, noise: [0, 0.1, 0.2, 0.3, 0.4], seed: seed)
    figures.autoencoder = result
    func share(_ noise: Double) -> String {
      String(format: "%.2f %%", 100 * (result.accuracy.first { $0.noise == noise }?.accuracy ?? 0))
    }
    return "\(shortCount(model.parameterCount)) parameters, token accuracy \(share(0)), with noise 0.3 \(share(0.3))"
  }

  private func trainLanguageModel(_ prepared: TrainingData) throws -> String {
    let configuration = recipe.languageModelConfiguration(for: prepared)
    let settings = LanguageModelSettings(
      model: configuration, autoencoder: place("autoencoder/model").path,
      auxiliaryWarmupSteps: recipe.auxiliaryWarmupSteps,
      training: recipe.languageModel)
    let last = try train(settings, in: "lm")
    let (count, loss) = (try loadModel().parameterCount, String(format: "%.2f", last.parts["energy"] ?? last.loss))
    return "\(shortCount(count)) parameters, \(last.step) steps, energy score \(loss)"
  }

  private func evaluate(_ prepared: TrainingData) throws -> String {
    guard let held = try prepared.blocks(.validation, chunkSize: 4, sequenceChunks: 256, remainder: .padded) else {
      return "no text was held out"
    }
    let model = try loadModel()
    let result = try model.evaluate(on: held, blocks: 64, samples: 8, seed: seed)
    figures.languageModel = result
    let error = result.brierLM.scoreStandardError.map { String(format: " ± %.2f", $0) } ?? ""
    return "BrierLM \(String(format: "%.2f", result.brierLM.score))\(error)"
  }

  private func writeSamples() throws -> String {
    var options = GenerationOptions()
    options.temperature = try Temperature.number(parsing: recipe.temperature)
    options.sequences = recipe.stories
    options.seed = seed
    options.maximumTokens = 200
    let tokenizer = try Tokenizer(contentsOf: place("tokenizer.json"))
    let generator = try TextGenerator(try loadModel(), tokenizer: tokenizer, prompt: "", options: options)
    let bar = ProgressBar(label: "samples", total: options.maximumTokens / 4)
    defer { bar.finish() }
    var chunks = 0
    while try generator.step() != nil {
      try heedInterruption()
      chunks += 1
      bar.update(completed: chunks)
    }
    figures.samples = generator.texts
    figures.temperature = recipe.temperature
    guard input == nil else { return "\(counted(recipe.stories, "text")) at temperature \(recipe.temperature)" }
    let report = StoryReport(judging: generator.texts)
    figures.report = report
    figures.acceptedSentences = report.acceptedShare
    figures.consistentStories = report.consistentShare
    figures.completeStories = report.completeShare
    return """
      \(recipe.stories) stories at temperature \(recipe.temperature): \
      \(String(format: "%.1f", 100 * report.acceptedShare)) % of their sentences accepted by the grammar, \
      \(String(format: "%.0f", 100 * report.consistentShare)) % of the stories consistent
      """
  }

  private func loadModel() throws -> ContinuousLanguageModel {
    let model = try ModelFolder(model).loadLanguageModel(device: compute.device)
    model.convert(to: compute.precision)
    model.autoencoder.convert(to: compute.precision)
    return model
  }
}

/// A demo that was interrupted: what the user is told, in one line.
struct DemoInterruption: Error {
  let line: String
}
