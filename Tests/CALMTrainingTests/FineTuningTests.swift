import CALM
import CALMCorpus
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite("Fine-tuning", .serialized) struct FineTuningTests {
  let world: TinyWorld

  init() throws {
    Runtime.threads = 1
    world = try TinyWorld()
    try world.addTasks()
  }

  private func settings(parts: Int = 1) -> TrainingSettings {
    var settings = world.settings(steps: 4)
    settings.gradientAccumulation = parts
    return settings
  }

  @Test("The loss of an autoregressive model with labels covers only the predicted tokens")
  func tokensWithLabels() throws {
    let run = try world.transformer("run", settings())
    let model = try #require(run.task.module as? AutoregressiveModel)
    let ids = Generator(seed: 4).uniform([2, 9], in: 3..<300).to(.int64)
    let values = ids.elements(as: Int64.self)
    let all = Tensor(values, shape: [2, 9])
    #expect(abs(model.loss(ids, labels: all).item() - model.loss(ids).item()) < 1e-5)

    // The loss of a single token is its cross-entropy.
    var labels = [Int64](repeating: -100, count: 18)
    labels[13] = values[13]
    let logits = withoutGradients { model.logits(model.hiddenStates(ids)) }
    let expected = -logSoftmax(logits).elements(as: Float.self)[(12) * logits.shape[2] + Int(values[13])]
    #expect(abs(model.loss(ids, labels: Tensor(labels, shape: [2, 9])).item() - Double(expected)) < 1e-4)
  }

  @Test(
    "Gradient accumulation weights its parts by their predicted tokens, so that losses equal those of the whole batch",
    arguments: [2, 4])
  func accumulates(parts: Int) throws {
    let whole = try losses(of: try world.transformer("whole", settings(), data: world.tasks))
    let split = try losses(of: try world.transformer("split", settings(parts: parts), data: world.tasks))
    #expect(whole.count == settings().steps && split.count == whole.count)
    for (one, other) in zip(whole, split) { #expect(abs(one - other) < 1e-5 * one, "\(one) and \(other)") }
  }

  @Test("Fine-tuning on completions has finite losses and resumes exactly after a stop", arguments: [0, 3])
  func languageModel(auxiliaryWarmupSteps: Int) throws {
    let autoencoder = try world.autoencoder("autoencoder", world.settings(steps: 20))
    _ = try losses(of: autoencoder)
    func run(_ name: String) throws -> TrainingRun {
      try world.languageModel(
        name, on: autoencoder.folder.modelURL, world.settings(steps: 12), auxiliaryWarmupSteps: auxiliaryWarmupSteps,
        data: world.tasks)
    }
    let unbroken = try losses(of: try run("unbroken"))
    let before = try losses(of: try run("broken"), until: 5)
    let after = try losses(of: try TrainingRun(resuming: world.place("broken")))
    #expect(before + after == unbroken)
    #expect(unbroken.allSatisfy { $0.isFinite })
  }

  @Test("A run on several weighted corpora resumes exactly")
  func weights() throws {
    let corpora = [
      Corpus(path: world.data, weight: 3), try Corpus(parsing: world.tasks + ":1"),
    ]
    func run(_ name: String) throws -> TrainingRun {
      try world.transformer(name, world.settings(steps: 6), corpora: corpora)
    }
    let unbroken = try losses(of: try run("unbroken"))
    let before = try losses(of: try run("broken"), until: 2)
    let resumed = try TrainingRun(resuming: world.place("broken"))
    #expect(resumed.record.settings.inputs.data == corpora)
    #expect(before + (try losses(of: resumed)) == unbroken)
  }

  @Test("A corpus weight must be above 0, and a colon without a number after it is part of the path")
  func weightParsing() throws {
    #expect(throws: TrainingError.invalidWeight("data:0")) { try Corpus(parsing: "data:0") }
    #expect(try Corpus(parsing: "a:b") == Corpus(path: "a:b"))
    #expect(try Corpus(parsing: "a:b:0.5") == Corpus(path: "a:b", weight: 0.5))
  }
}
