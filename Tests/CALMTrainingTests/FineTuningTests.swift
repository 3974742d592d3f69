import CALM
import CALMCorpus
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite(.serialized) struct FineTuningTests {
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

  @Test("the loss of an autoregressive model is that of the predicted tokens alone")
  func tokensWithLabels() throws {
    let run = try world.transformer("run", settings())
    let model = try #require(run.task.module as? AutoregressiveModel)
    let ids = Generator(seed: 4).uniform([2, 9], in: 3..<300).to(.int64)
    let values = ids.elements(as: Int64.self)
    let all = Tensor(values, shape: [2, 9])
    #expect(abs(model.loss(ids, labels: all).item() - model.loss(ids).item()) < 1e-5)

    // Of one token alone the loss is its own cross-entropy.
    var labels = [Int64](repeating: -100, count: 18)
    labels[13] = values[13]
    let logits = withoutGradients { model.logits(model.hiddenStates(ids)) }
    let expected = -logSoftmax(logits).elements(as: Float.self)[(12) * logits.shape[2] + Int(values[13])]
    #expect(abs(model.loss(ids, labels: Tensor(labels, shape: [2, 9])).item() - Double(expected)) < 1e-4)
  }

  @Test("parts count by what they predict: a batch in parts has the losses of the whole", arguments: [2, 4])
  func accumulates(parts: Int) throws {
    let whole = try losses(of: try world.transformer("whole", settings(), data: world.tasks))
    let cut = try losses(of: try world.transformer("cut", settings(parts: parts), data: world.tasks))
    #expect(whole.count == settings().steps && cut.count == whole.count)
    for (one, other) in zip(whole, cut) { #expect(abs(one - other) < 1e-5 * one, "\(one) and \(other)") }
  }

  @Test("fine-tuning on completions lowers their loss, and goes on exactly after a stop", arguments: [0, 3])
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

  @Test("several corpora take part by their weights, and a run on them goes on exactly")
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
    #expect(resumed.record.data == corpora)
    #expect(before + (try losses(of: resumed)) == unbroken)
  }

  @Test("a weight that is not above 0 is refused, and a colon alone is part of a path")
  func weightParsing() throws {
    #expect(throws: TrainingError.invalidWeight("data:0")) { try Corpus(parsing: "data:0") }
    #expect(try Corpus(parsing: "a:b") == Corpus(path: "a:b"))
    #expect(try Corpus(parsing: "a:b:0.5") == Corpus(path: "a:b", weight: 0.5))
  }
}
