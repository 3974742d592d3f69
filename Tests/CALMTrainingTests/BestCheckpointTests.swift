import CALM
import CALMCorpus
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite("Best checkpoints", .serialized) struct BestCheckpointTests {
  init() {
    Runtime.threads = 1
  }

  @Test(
    "The best checkpoint is the one with the lowest loss or with the highest score",
    arguments: [(EvaluationMetric.Direction.lowerIsBetter, "step-000004"), (.higherIsBetter, "step-000006")])
  func direction(_ direction: EvaluationMetric.Direction, best: String) throws {
    let world = try TinyWorld()
    var settings = world.settings(steps: 8)
    (settings.evaluationInterval, settings.bestMetric) = (2, "quality")
    let run = try world.autoencoder("run", settings)
    let sequences = try #require(
      try TrainingData(path: world.data).sequences(
        .train, chunkSize: TinyWorld.chunkSize, sequenceChunks: settings.sequenceLength / TinyWorld.chunkSize,
        remainder: .dropped))
    let task = PrescribedEvaluations(
      of: run.task, [2, 1, 4, 3].map { [EvaluationMetric("quality", $0, direction)] })
    try Trainer(task, on: [WeightedSequences(sequences)], settings: settings, folder: run.folder).run()
    #expect(try RunFolder.locate(world.place("run/best")).checkpoint?.lastPathComponent == best)
  }
}
