import CALM
import CALMCorpus
import CALMTokenizer
import CALMTraining
import Foundation
import Torch

/// Synthetic stories, a tokenizer and a data set small enough to train on in seconds, in a temporary folder.
package final class TinyWorld: Sendable {
  /// The chunk size of its models.
  package static let chunkSize = 4

  package let folder: URL
  package let tokenizer: Tokenizer

  package init(bytes: Int = 60_000) throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("calm-training-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    func stories() -> some TextSource {
      TextSequence(SyntheticStories().stories(seed: 5, bytes: bytes), name: "synthetic stories")
    }
    tokenizer = try TextPipeline.trainTokenizer(vocabularySize: 400, on: stories())
    try tokenizer.save(to: folder.appendingPathComponent("tokenizer.json"))
    try pipeline().prepare(stories(), into: data)
  }

  private func pipeline() throws -> TextPipeline {
    var pipeline = try TextPipeline(tokenizer, createdBy: "tests")
    pipeline.preparation.validationFraction = 0.1
    return pipeline
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// Prepares a data set of prompts and completions, ``tasks``.
  package func addTasks() throws {
    let names = ["Ann", "Ben", "Sue", "Tom"]
    let lines = (0..<300).map { number in
      let name = names[number % 4]
      return "{\"prompt\": \"Once there was a child named \(name). Who was it?\", \"completion\": \" \(name).\"}"
    }
    let text = folder.appendingPathComponent("tasks.jsonl")
    try Data(lines.joined(separator: "\n").utf8).write(to: text)
    var pipeline = try pipeline()
    pipeline.preparation.hasPrompts = true
    try pipeline.prepare(
      CorpusReader(paths: [text.path], options: CorpusOptions(textField: "completion", promptField: "prompt")),
      into: tasks)
  }

  package var tasks: String { folder.appendingPathComponent("tasks").path }

  package var data: String { folder.appendingPathComponent("data").path }

  package func place(_ name: String) -> URL { folder.appendingPathComponent(name) }

  package func settings(steps: Int) -> TrainingSettings {
    var settings = TrainingSettings(
      steps: steps, batchSize: 4, sequenceLength: 64,
      schedule: LearningRateSchedule(peak: 5e-3, shape: .stableDecay, warmupSteps: 10))
    (settings.logInterval, settings.precision) = (1, .float32)
    return settings
  }

  package func autoencoder(
    _ name: String, _ settings: TrainingSettings, hidden: Int = 64, latent: Int = 24,
    group: any DataParallelGroup = SingleProcess()
  ) throws -> TrainingRun {
    let configuration = AutoencoderConfiguration(
      vocabularySize: tokenizer.vocabularySize, chunkSize: Self.chunkSize, latentSize: latent, hiddenSize: hidden,
      special: try TrainingData(path: data).special)
    let record = RunRecord(
      AutoencoderSettings(model: configuration, training: settings, inputs: RunInputs(data: [Corpus(path: data)])),
      program: "tests")
    return try TrainingRun(record, in: place(name), group: group)
  }

  package func transformer(
    _ name: String, _ settings: TrainingSettings, data: String? = nil, corpora: [Corpus]? = nil,
    group: any DataParallelGroup = SingleProcess()
  ) throws -> TrainingRun {
    let configuration = AutoregressiveConfiguration(
      vocabularySize: tokenizer.vocabularySize,
      transformer: TransformerShape(hiddenSize: 32, intermediateSize: 64, layers: 2, attentionHeads: 2),
      tiesEmbeddings: false, special: try TrainingData(path: self.data).specialWithoutStandIn)
    var settings = settings
    // The same number of positions as for the models of chunks.
    settings.sequenceLength /= Self.chunkSize
    let inputs = RunInputs(data: corpora ?? [Corpus(path: data ?? self.data)])
    let record = RunRecord(
      TransformerSettings(model: configuration, training: settings, inputs: inputs), program: "tests")
    return try TrainingRun(record, in: place(name), group: group)
  }

  package func languageModel(
    _ name: String, on autoencoder: URL, _ settings: TrainingSettings, head: HeadKind = .energy,
    auxiliaryWarmupSteps: Int = 0,
    data: String? = nil, group: any DataParallelGroup = SingleProcess()
  ) throws -> TrainingRun {
    let sizes = try ModelFolder(autoencoder).autoencoderConfiguration()
    let configuration = LanguageModelConfiguration(
      vocabularySize: sizes.vocabularySize, chunkSize: sizes.chunkSize, latentSize: sizes.latentSize, hiddenSize: 32,
      intermediateSize: 64, layers: 2, attentionHeads: 2, head: head, headBlocks: 1, auxiliaryLossWeight: 1,
      special: sizes.special)
    let record = RunRecord(
      LanguageModelSettings(
        model: configuration, autoencoder: autoencoder.path, auxiliaryWarmupSteps: auxiliaryWarmupSteps,
        training: settings,
        inputs: RunInputs(data: [Corpus(path: data ?? self.data)])), program: "tests")
    return try TrainingRun(record, in: place(name), group: group)
  }
}

extension TinyWorld {
  /// A run of a model whose head samples tokens.
  package func tokenModel(
    _ name: String, _ settings: TrainingSettings, head: HeadKind, distillationSteps: Int = 0,
    group: any DataParallelGroup = SingleProcess()
  ) throws -> TrainingRun {
    let data = try TrainingData(path: data)
    let configuration = LanguageModelConfiguration(
      vocabularySize: tokenizer.vocabularySize, chunkSize: 4, latentSize: 16, hiddenSize: 32, intermediateSize: 64,
      layers: 2, attentionHeads: 2, head: head, headBlocks: 1, auxiliaryLossWeight: 1, special: data.special)
    var all = LanguageModelSettings(
      model: configuration, autoencoder: nil, training: settings,
      inputs: RunInputs(data: [Corpus(path: data.set.path)]))
    all.distillationSteps = distillationSteps
    return try TrainingRun(RunRecord(all, program: "tests"), in: place(name), group: group)
  }

  /// A run that distills a model.
  package func student(_ name: String, of teacher: URL, _ settings: TrainingSettings) throws -> TrainingRun {
    let arguments = ["--init-from", teacher.path, "--data", data]
    let given = GivenSettings(
      arguments: arguments, of: DistillationSettings.declarations, isResumed: false, otherOptions: [])
    var (student, faults) = DistillationSettings.resolve(given, over: try DistillationSettings.base(for: given))
    precondition(faults.isEmpty, "\(faults)")
    student.training = settings
    return try TrainingRun(RunRecord(student, program: "tests"), in: place(name))
  }
}

/// Trains to the end or to a step and returns the losses.
package func losses(of run: TrainingRun, until last: Int = .max) throws -> [Double] {
  var losses: [Double] = []
  try run.trainer.run { event in
    guard case .step(let step) = event else { return .continue }
    losses.append(step.loss)
    return step.step >= last ? .stop : .continue
  }
  return losses
}

/// Rewrites the training data of a data set with the tokens of each document in reverse order. All sizes stay the same.
package func reverseDocuments(in data: String) throws {
  for shard in try TokenDataSet(path: data).train {
    let writer = try TokenShardWriter(path: shard.path, vocabulary: shard.vocabulary)
    for document in 0..<shard.documentCount {
      try writer.append(Array(try shard.tokens(ofDocument: document).reversed()))
    }
    try writer.finish()
  }
}
