import CALM
import CALMCorpus
import CALMReports
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite("NaN and infinite metrics", .serialized) struct NonFiniteMetricTests {
  let world: TinyWorld

  init() throws {
    Runtime.threads = 1
    world = try TinyWorld()
  }

  /// Trains a run that evaluates every two steps; only the second evaluation has a finite accuracy.
  private func train() throws {
    var settings = world.settings(steps: 8)
    (settings.evaluationInterval, settings.bestMetric) = (2, "accuracy")
    let run = try world.autoencoder("run", settings)
    let sequences = try #require(
      try TrainingData(path: world.data).sequences(
        .train, chunkSize: TinyWorld.chunkSize, sequenceChunks: settings.sequenceLength / TinyWorld.chunkSize,
        remainder: .dropped))
    let task = PrescribedEvaluations(
      of: run.task,
      [(.nan, 0.25), (3, .nan), (.infinity, 0.5), (.nan, -.infinity)].map { accuracy, energyScore in
        [
          EvaluationMetric("accuracy", accuracy, .higherIsBetter),
          EvaluationMetric("energy_score", energyScore, .lowerIsBetter),
        ]
      })
    let trainer = try Trainer(task, on: [WeightedSequences(sequences)], settings: settings, folder: run.folder)
    #expect(try trainer.run() == .steps)
  }

  @Test("A NaN or infinite metric is never the best, and the run continues to its end and can be resumed")
  func neverBest() throws {
    try train()
    let best = try RunFolder.locate(world.place("run/best")).checkpoint
    #expect(best?.lastPathComponent == "step-000004")
    #expect(FileManager.default.fileExists(atPath: world.place("run/model/model.safetensors").path))
    let resumed = try TrainingRun(resuming: world.place("run"), limits: ResumedLimits(steps: 9))
    #expect(try losses(of: resumed).count == 1)
    #expect(try RunFolder.locate(world.place("run/best")).checkpoint?.lastPathComponent == "step-000004")
  }

  @Test("A NaN or infinite metric is null in metrics.jsonl and in the summary, and absent from curves and event files")
  func written() throws {
    try train()
    let file = world.place("run/metrics.jsonl")
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
    let scores = lines.compactMap { $0["accuracy"] }
    #expect(scores.map { $0 is NSNull } == [true, false, true, true])
    let metrics = MetricsHistory(contentsOf: file)
    #expect(metrics.points(of: "accuracy").map(\.y) == [3])
    #expect(metrics.points(of: "energy_score").map(\.y) == [0.25, 0.5])
    #expect(Set(metrics.training.keys).isDisjoint(with: ["accuracy", "energy_score"]))

    let summary = try RunSummary(of: world.place("run"))
    #expect(summary.evaluation == ["accuracy": nil, "energy_score": nil] && summary.evaluationStep == 8)
    let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(summary)) as? [String: Any]
    #expect((json?["evaluation"] as? [String: Any])?["accuracy"] is NSNull)
    let page = try RunReport([world.place("run")]).html
    #expect(page.contains("<dd>not finite</dd>") && !page.contains("nan<") && !page.contains("inf<"))

    var tags = 0
    for name in try FileManager.default.contentsOfDirectory(atPath: world.place("run").path)
    where name.hasPrefix("events.out") {
      var rest = try Data(contentsOf: world.place("run/\(name)"))[...]
      while let found = rest.range(of: Data("evaluation/accuracy".utf8)) {
        tags += 1
        rest = rest[found.upperBound...]
      }
    }
    #expect(tags == 1)
  }
}
