import CALM
import CALMCorpus
import CALMTokenizer
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite("Training", .serialized) struct TrainingTests {
  let world: TinyWorld

  init() throws {
    Runtime.threads = 1
    world = try TinyWorld()
  }

  @Test("A tiny autoencoder learns to reconstruct 90% of held-out tokens")
  func autoencoderLearns() throws {
    let world = try TinyWorld(bytes: 400_000)
    var settings = world.settings(steps: 300)
    (settings.batchSize, settings.sequenceLength) = (8, 256)
    let run = try world.autoencoder("run", settings, hidden: 96, latent: 32)
    _ = try losses(of: run)
    let model = try ModelFolder(run.folder.modelURL).loadAutoencoder()
    let data = try TrainingData(path: world.data)
    let held = try #require(
      try data.sequences(.validation, chunkSize: TinyWorld.chunkSize, sequenceChunks: 16, remainder: .padded))
    let result = try model.evaluate(on: held, noise: [0, 3], seed: 1)
    #expect(result.accuracy[0].accuracy > 0.9)
    #expect(result.accuracy[1].accuracy < result.accuracy[0].accuracy)
  }

  @Test(
    "The losses of a language model fall, and its final model has no auxiliary layer",
    arguments: [HeadKind.energy, .diffusion, .flow])
  func languageModelLearns(head: HeadKind) throws {
    let autoencoder = try world.autoencoder("autoencoder", world.settings(steps: 60))
    _ = try losses(of: autoencoder)
    let run = try world.languageModel("calm", on: autoencoder.folder.modelURL, world.settings(steps: 60), head: head)
    var auxiliary: [Double] = []
    var headLosses: [Double] = []
    try run.trainer.run { event in
      if case .step(let step) = event {
        auxiliary.append(step.parts["auxiliary"] ?? .nan)
        headLosses.append(step.parts[head.rawValue] ?? .nan)
      }
      return .continue
    }
    func mean(_ values: some Sequence<Double>) -> Double { values.reduce(0, +) / 10 }
    #expect(mean(auxiliary.suffix(10)) < mean(auxiliary.prefix(10)) - 0.5)
    #expect(mean(headLosses.suffix(10)) < mean(headLosses.prefix(10)))

    let saved = try CheckpointReader(run.folder.modelURL)
    #expect(!saved.names.contains { $0.hasPrefix("auxiliary") })
    let checkpoint = try CheckpointReader(try run.folder.latestCheckpoint())
    #expect(checkpoint.names.contains("auxiliary_projection.weight"))
    _ = try ModelFolder(run.folder.modelURL).loadLanguageModel()
  }

  @Test("The auxiliary warm-up trains all parameters except those of the head")
  func auxiliaryWarmupSteps() throws {
    let autoencoder = try world.autoencoder("autoencoder", world.settings(steps: 3))
    _ = try losses(of: autoencoder)
    let run = try world.languageModel(
      "calm", on: autoencoder.folder.modelURL, world.settings(steps: 6), auxiliaryWarmupSteps: 4)
    let model = try #require(run.task.module as? ContinuousLanguageModel)
    func values(_ isWanted: (String) -> Bool) -> [[Float]] {
      model.namedParameters().filter { isWanted($0.name) }.map { $0.tensor.elements(as: Float.self) }
    }
    let isHead: (String) -> Bool = { $0.hasPrefix("mlp_generator") }
    let (head, rest) = (values(isHead), values { !isHead($0) })
    var parts: [Set<String>] = []
    try run.trainer.run { event in
      guard case .step(let step) = event else { return .continue }
      parts.append(Set(step.parts.keys))
      if step.step == 4 {
        #expect(values(isHead) == head)
        #expect(!zip(values { !isHead($0) }, rest).contains { $0 == $1 })
      }
      return .continue
    }
    #expect(parts == Array(repeating: ["auxiliary"], count: 4) + Array(repeating: ["auxiliary", "energy"], count: 2))
    #expect(values(isHead) != head)
  }

  @Test("Training in bfloat16 keeps float32 weights and does not change the frozen autoencoder")
  func bfloat16KeepsMasters() throws {
    let autoencoder = try world.autoencoder("autoencoder", world.settings(steps: 5))
    _ = try losses(of: autoencoder)
    var settings = world.settings(steps: 5)
    settings.precision = .bfloat16
    let run = try world.languageModel("calm", on: autoencoder.folder.modelURL, settings)
    _ = try losses(of: run)
    let weights = try CheckpointReader(run.folder.modelURL).tensor(named: "embed_proj.0.weight")
    let values = weights.elements(as: Float.self)
    let rounded = weights.to(.bfloat16).elements(as: Float.self)
    #expect(zip(values, rounded).contains { $0 != $1 })

    let before = try CheckpointReader(autoencoder.folder.modelURL)
    let after = try CheckpointReader(run.folder.modelURL.appendingPathComponent("autoencoder"))
    for name in before.names {
      #expect(
        try before.tensor(named: name).elements(as: Float.self) == after.tensor(named: name).elements(as: Float.self))
    }
  }

  @Test("A stopped run has a checkpoint of its last step and no final model")
  func stopLeavesCheckpoint() throws {
    let run = try world.autoencoder("run", world.settings(steps: 50))
    _ = try losses(of: run, until: 3)
    #expect(try run.folder.latestCheckpoint().lastPathComponent == "step-000003")
    #expect(!FileManager.default.fileExists(atPath: run.folder.modelURL.path))
  }

  @Test("Each line of training metrics has the greatest fraction of a step spent waiting for data")
  func loaderWait() throws {
    var settings = world.settings(steps: 6)
    settings.logInterval = 2
    let run = try world.transformer("run", settings)
    _ = try losses(of: run)
    let metrics = MetricsHistory(contentsOf: run.folder.metricsURL)
    let shares = metrics.points(of: "loader_wait_share_max").map(\.y)
    #expect(shares.count == 3)
    #expect(shares.allSatisfy { $0 > 0 && $0 <= 1 })
  }

  @Test("Training on data with a different tokenizer than the model is an error")
  func otherTokenizer() throws {
    let other = try TinyWorld(bytes: 20_000)
    let run = try world.autoencoder("run", world.settings(steps: 1))
    _ = try losses(of: run)
    #expect(throws: TrainingError.self) {
      try other.languageModel("calm", on: run.folder.modelURL, other.settings(steps: 1))
    }
  }

  @Test("A model whose tokenizer cannot be read is an error, and one without a tokenizer is not")
  func unreadableTokenizer() throws {
    let data = try TrainingData(path: world.data)
    let size = data.tokenizer.vocabularySize
    let folder = world.place("model")
    try Autoencoder(
      AutoencoderConfiguration(vocabularySize: size, chunkSize: 2, latentSize: 4, hiddenSize: 8),
      generator: Generator(seed: 1)
    ).save(to: folder, tokenizer: nil)
    try data.check(against: ModelFolder(folder), vocabularySize: size)
    try data.tokenizerFile.write(to: folder.appendingPathComponent("tokenizer.json"))
    try data.check(against: ModelFolder(folder), vocabularySize: size)
    try Data("{".utf8).write(to: folder.appendingPathComponent("tokenizer.json"))
    #expect(throws: TokenizerError.self) { try data.check(against: ModelFolder(folder), vocabularySize: size) }
  }

  @Test("A new run does not overwrite an existing one")
  func runExists() throws {
    _ = try world.autoencoder("run", world.settings(steps: 1))
    let path = world.place("run").path
    #expect(throws: TrainingError.runExists(path)) {
      try world.autoencoder("run", world.settings(steps: 1))
    }
  }

  @Test("A sequence length beyond the size of the corpus is an error before a folder is created")
  func corpusTooSmall() throws {
    var settings = world.settings(steps: 1)
    settings.sequenceLength = 4_000_000
    #expect(throws: PackingError.self) { try world.autoencoder("run", settings) }
    #expect(!FileManager.default.fileExists(atPath: world.place("run").path))
  }

  @Test("A run whose loss is no longer finite fails and lists the documents of the skipped batches")
  func notFinite() throws {
    var settings = world.settings(steps: 100)
    settings.schedule = LearningRateSchedule(peak: 1e30, warmupSteps: 0)
    let run = try world.autoencoder("run", settings)
    var skipped = 0
    #expect(throws: TrainingError.self) {
      try run.trainer.run { event in
        if case .skipped = event { skipped += 1 }
        return .continue
      }
    }
    #expect(skipped == settings.skipLimit)

    // The documents of all skipped batches are listed, including those of the last one, which exceeded the limit.
    struct Line: Decodable {
      struct Source: Decodable {
        let corpus: Int
        let documents: [Int]
      }
      let step: Int
      let sources: [Source]
    }
    let lines = try String(contentsOf: run.folder.skipsURL, encoding: .utf8).split(separator: "\n").map {
      try JSONDecoder().decode(Line.self, from: Data($0.utf8))
    }
    #expect(lines.count == skipped + 1)
    let count = try TrainingData(path: world.data).set.manifest.train.documents
    for line in lines {
      #expect(line.sources.map(\.corpus) == [0])
      let documents = try #require(line.sources.first).documents
      #expect(!documents.isEmpty && documents.allSatisfy { (0..<count).contains($0) })
    }
  }
}
