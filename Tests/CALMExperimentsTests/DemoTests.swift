import CALM
import CALMCorpus
import CALMExperiments
import CALMTraining
import Foundation
import Testing

@Suite("Demo", .serialized) struct DemoTests {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("calm-demo-\(UUID().uuidString)")

  private static let tiny = tiny(.tokens)
  private static let tinyPosterior = tiny(.posterior)
  /// With an autoencoder.
  private static let tinyEnergy = tiny(.energy)

  private static func tiny(_ head: HeadKind) -> DemoRecipe {
    var recipe = DemoRecipe.stories(head: head)
    (recipe.corpusBytes, recipe.vocabularySize, recipe.validationFraction) = (60_000, 300, 0.1)
    (recipe.latentSize, recipe.autoencoderHiddenSize, recipe.hiddenSize, recipe.layers) = (8, 16, 32, 1)
    (recipe.autoencoder.steps, recipe.languageModel.steps, recipe.distillation.steps) = (3, 4, 2)
    (recipe.evaluationChunks, recipe.evaluationSequences) = (16, 2)
    (recipe.generatedTexts, recipe.maximumNewTokens, recipe.temperature) = (2, 8, "1")
    return recipe
  }

  private func demo(_ recipe: DemoRecipe = tiny, source: (any TextSource)? = nil) -> Demo {
    Demo(recipe, in: folder, source: source, precision: .float32, seed: 1, program: "tests")
  }

  private func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: folder.appendingPathComponent(path).path)
  }

  @Test(
    "A demo reports its stages in order and its results match its folder", arguments: [tiny, tinyPosterior, tinyEnergy])
  func complete(recipe: DemoRecipe) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    var (began, finished): ([DemoStage], [DemoStage]) = ([], [])
    var steps: [DemoStage: Int] = [:]
    let demo = demo(recipe)
    let end = try demo.run { event in
      switch event {
      case .began(let stage): began.append(stage)
      case .finished(let stage, _): finished.append(stage)
      case .training(let stage, .step(let step), let total):
        steps[stage] = step.step
        #expect(step.step <= (total ?? 0))
      case .training: break
      case .planned: Issue.record("the number of steps is given")
      case .progress(_, let completed, let total): #expect(completed > 0 && total != nil)
      }
      return .continue
    }
    #expect(end == .finished)
    let (hasAutoencoder, isDistilled) = (recipe.head == .energy, recipe.head == .posterior)
    #expect(began == recipe.stages && finished == began && began.contains(.autoencoder) == hasAutoencoder)
    #expect(began.contains(.distillation) == isDistilled)
    #expect(steps[.languageModel] == 4)
    #expect(steps[.autoencoder] == (hasAutoencoder ? 3 : nil) && steps[.distillation] == (isDistilled ? 2 : nil))
    #expect(exists(recipe.modelFolder) && exists("student/model") == isDistilled)
    let results = demo.results
    #expect(results.stages.map(\.name) == recipe.stages && results.head == recipe.head.rawValue)
    let data = try TrainingData(path: folder.appendingPathComponent("data").path)
    #expect(results.vocabularySize == 300 && data.tokenizer.vocabularySize == 300)
    #expect(results.trainingTokens == data.set.manifest.train.tokens)
    #expect(results.validationTokens == data.set.manifest.validation.tokens)
    #expect(results.documents == data.set.manifest.train.documents + data.set.manifest.validation.documents)
    #expect((results.autoencoder != nil) == hasAutoencoder)
    #expect(results.languageModel != nil && results.languageModelSteps == 4)
    #expect(results.samples.count == 2 && results.report?.stories == 2)
    #expect(exists("corpus.jsonl") && exists("autoencoder/model") == hasAutoencoder && exists("lm/model"))
  }

  @Test("A demo with a time limit chooses its steps, and its learning rate has decayed at the end")
  func timed() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    var recipe = Self.tiny
    recipe.languageModel.steps = 1_000_000
    recipe.duration = .seconds(6)
    var plans: [Int] = []
    var rates: [Int: Double] = [:]
    let demo = demo(recipe)
    let end = try demo.run { event in
      if case .planned(.languageModel, let steps, let seconds) = event {
        #expect(seconds > 0)
        plans.append(steps)
      }
      if case .training(.languageModel, .step(let step), let total) = event {
        rates[step.step] = step.learningRate
        #expect(total == plans.last)
      }
      return .continue
    }
    #expect(end == .finished)
    let steps = try #require(plans.last)
    #expect(demo.results.languageModelSteps == steps && rates.count == steps)
    // Stable, then falling over the second half.
    let peak = recipe.languageModel.schedule.peak
    #expect(try #require(rates[steps]) < 0.1 * peak)
    #expect(rates.values.max() == peak)
    let run = folder.appendingPathComponent("lm").path
    #expect(try TrainingRun.record(resuming: run).settings.training.steps == steps)
  }

  @Test("A demo of other text judges no stories")
  func otherText() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let texts = SyntheticStories().stories(seed: 9, bytes: 60_000)
    let demo = demo(source: TextSequence(texts, name: "texts"))
    #expect(try demo.run() == .finished)
    #expect(demo.results.samples.count == 2)
    #expect(demo.results.report == nil && demo.results.acceptedSentences == nil)
  }

  @Test(
    "A demo that stops before training leaves no folder",
    arguments: [DemoStage.text, .tokenizer, .data])
  func stopsEarly(stage: DemoStage) throws {
    let end = try demo().run { event in
      if case .progress(stage, _, _) = event { return .stop }
      return .continue
    }
    #expect(end == .stoppedBeforeTraining)
    #expect(!exists(""))
  }

  @Test("A demo that stops in training leaves a run that resumes")
  func stopsInTraining() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let end = try demo(Self.tinyEnergy).run { event in
      if case .training(.autoencoder, .step(let step), _) = event, step.step == 2 { return .stop }
      return .continue
    }
    let run = folder.appendingPathComponent("autoencoder")
    #expect(end == .stoppedInTraining(.autoencoder, run: run.path, step: 2))
    #expect(try TrainingRun(resuming: run).trainer.step == 2)
  }

  @Test("A demo that stops between training runs keeps the trained model")
  func stopsBetween() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let end = try demo(Self.tinyEnergy).run { event in
      if case .began(.languageModel) = event { return .stop }
      return .continue
    }
    #expect(end == .stopped)
    #expect(exists("autoencoder/model") && !exists("lm"))
  }

  @Test("A demo does not write to an existing folder")
  func existingFolder() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data("keep".utf8).write(to: folder.appendingPathComponent("file"))
    #expect(throws: (any Error).self) { try demo().run() }
    #expect(exists("file") && !exists("corpus.jsonl"))
  }
}
