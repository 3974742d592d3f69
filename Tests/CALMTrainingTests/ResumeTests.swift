import CALM
import CALMCorpus
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

// The number of threads is a setting of the process: these tests set it to one and are serialized.
@Suite("Resuming a run", .serialized) struct ResumeTests {
  let world: TinyWorld

  init() throws {
    Runtime.threads = 1
    world = try TinyWorld()
  }

  @Test("Runs with the same seed have the same losses, and another seed gives others")
  func repeats() throws {
    let first = try losses(of: try world.autoencoder("a", world.settings(steps: 8)))
    let second = try losses(of: try world.autoencoder("b", world.settings(steps: 8)))
    var other = world.settings(steps: 8)
    other.seed = 2
    let third = try losses(of: try world.autoencoder("c", other))
    #expect(first == second)
    #expect(first != third)
  }

  @Test(
    "A resumed run has the losses of an uninterrupted one, bit for bit", arguments: [(false, 0), (true, 0), (true, 8)])
  func resumesExactly(isLanguageModel: Bool, auxiliaryWarmupSteps: Int) throws {
    let autoencoder = try world.autoencoder("autoencoder", world.settings(steps: 3))
    _ = try losses(of: autoencoder)
    func run(_ name: String) throws -> TrainingRun {
      let settings = world.settings(steps: 12)
      return isLanguageModel
        ? try world.languageModel(
          name, on: autoencoder.folder.modelURL, settings, auxiliaryWarmupSteps: auxiliaryWarmupSteps)
        : try world.autoencoder(name, settings)
    }
    let unbroken = try losses(of: try run("unbroken"))
    let before = try losses(of: try run("broken"), until: 5)
    let resumed = try TrainingRun(resuming: world.place("broken"))
    #expect(resumed.step == 5)
    let after = try losses(of: resumed)
    #expect(unbroken.count == 12)
    #expect(before + after == unbroken)

    let one = try CheckpointReader(world.place("unbroken/model"))
    let two = try CheckpointReader(world.place("broken/model"))
    #expect(one.names == two.names)
    for name in one.names {
      #expect(try one.tensor(named: name).elements(as: Float.self) == two.tensor(named: name).elements(as: Float.self))
    }
  }

  @Test("metrics.jsonl has one line per step, even if the run was interrupted after its last checkpoint")
  func metricsHaveNoStepTwice() throws {
    var settings = world.settings(steps: 6)
    settings.checkpointInterval = 2
    _ = try losses(of: try world.autoencoder("run", settings), until: 4)
    // A killed process leaves lines of steps after its last checkpoint, and an incomplete line.
    let file = world.place("run/metrics.jsonl")
    let written = try String(contentsOf: file, encoding: .utf8)
    try Data((written + "{\"kind\":\"train\",\"step\":5,\"loss\":1}\n{\"kind\":\"train\",\"step\":6,\"lo").utf8).write(
      to: file)
    _ = try losses(of: try TrainingRun(resuming: world.place("run")))
    struct Line: Decodable {
      let step: Double
      let loss: Double?
    }
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
      try JSONDecoder().decode(Line.self, from: Data($0.utf8))
    }
    // The seventh line is the final evaluation.
    let steps = lines.filter { $0.loss != nil }.map { $0.step }
    #expect(lines.count == 7)
    #expect(steps == [1, 2, 3, 4, 5, 6])
  }

  @Test("A finished run can be extended by more steps")
  func extends() throws {
    _ = try losses(of: try world.autoencoder("run", world.settings(steps: 2)))
    let longer = try TrainingRun(resuming: world.place("run"), limits: ResumedLimits(steps: 4))
    #expect(try losses(of: longer).count == 2)
  }

  @Test("New limits of a resumed run are stored and still apply when it is resumed again")
  func keepsLimits() throws {
    _ = try losses(of: try world.autoencoder("run", world.settings(steps: 2)))
    _ = try losses(of: try TrainingRun(resuming: world.place("run"), limits: ResumedLimits(steps: 6)), until: 4)
    let again = try TrainingRun(resuming: world.place("run"))
    #expect(again.trainer.total == 6)
    #expect(try losses(of: again).count == 2)
  }

  @Test("Batches skipped after the last checkpoint are listed once, although the resumed run skips them again")
  func skipsHaveNoLineTwice() throws {
    var settings = world.settings(steps: 100)
    settings.schedule = LearningRateSchedule(peak: 1e30, warmupSteps: 0)
    (settings.checkpointInterval, settings.skipLimit) = (1, 3)
    let file = world.place("run/skipped.jsonl")
    #expect(throws: TrainingError.self) { try world.autoencoder("run", settings).trainer.run() }
    let written = try Data(contentsOf: file)
    #expect(written.count { $0 == UInt8(ascii: "\n") } == 4)
    try (written + Data("{\"total\":5,".utf8)).write(to: file)
    #expect(throws: TrainingError.self) { try TrainingRun(resuming: world.place("run")).trainer.run() }
    #expect(try Data(contentsOf: file) == written)
  }

  @Test("Resuming on data that has been prepared again with different content is an error that names the data set")
  func otherData() throws {
    _ = try losses(of: try world.transformer("run", world.settings(steps: 6)), until: 3)
    try reverseDocuments(in: world.data)
    #expect(throws: TrainingError.otherData(world.data)) { try TrainingRun(resuming: world.place("run")) }
  }

  @Test("A run with a moving average resumes exactly, and its checkpoints and model are the average")
  func average() throws {
    var settings = world.settings(steps: 10)
    settings.emaDecay = 0.9
    let unbroken = try losses(of: try world.autoencoder("unbroken", settings))
    let before = try losses(of: try world.autoencoder("broken", settings), until: 4)
    let after = try losses(of: try TrainingRun(resuming: world.place("broken")))
    #expect(before + after == unbroken)
    let plain = try losses(of: try world.autoencoder("plain", world.settings(steps: 10)))
    #expect(plain == unbroken)

    func weights(_ path: String) throws -> [Float] {
      try CheckpointReader(world.place(path)).tensor(named: "encoder.squeeze_layer.weight").elements(as: Float.self)
    }
    #expect(try weights("unbroken/model") == weights("broken/model"))
    #expect(try weights("unbroken/model") == weights("unbroken/checkpoints/step-000010"))
    #expect(try weights("unbroken/model") != weights("plain/model"))
  }

  @Test("A run resumed from an older checkpoint repeats the losses after it")
  func olderCheckpoint() throws {
    var settings = world.settings(steps: 9)
    (settings.checkpointInterval, settings.checkpointsToKeep) = (3, 5)
    let unbroken = try losses(of: try world.autoencoder("run", settings))
    let again = try TrainingRun(resuming: world.place("run/checkpoints/step-000003"))
    #expect(again.step == 3)
    #expect(try losses(of: again) == Array(unbroken.dropFirst(3)))
  }

  @Test("Gradient checkpointing gives the same losses, bit for bit")
  func gradientCheckpointing() throws {
    let plain = try losses(of: try world.transformer("plain", world.settings(steps: 4)))
    var settings = world.settings(steps: 4)
    settings.gradientCheckpointing = true
    #expect(try losses(of: try world.transformer("again", settings)) == plain)
  }

  @Test("The best checkpoint is that of the best evaluation, even if the run was interrupted")
  func best() throws {
    var settings = world.settings(steps: 8)
    (settings.evaluationInterval, settings.evaluationSequences, settings.bestMetric) = (2, 4, "accuracy")
    // A learning rate that makes the model worse late in the run.
    settings.schedule = LearningRateSchedule(peak: 5e-2, warmupSteps: 40)
    func evaluations(_ run: TrainingRun, until last: Int = .max) throws -> [(step: Int, value: Double)] {
      var found: [(Int, Double)] = []
      try run.trainer.run { event in
        if case .evaluation(let step, let metrics) = event { found.append((step, metrics["accuracy"] ?? .nan)) }
        if case .step(let step) = event, step.step >= last { return .stop }
        return .continue
      }
      return found
    }
    let whole = try evaluations(try world.autoencoder("whole", settings))
    let highest = try #require(whole.map { $0.value }.max())
    let expected = try #require(whole.first { $0.value == highest }).step
    _ = try evaluations(try world.autoencoder("broken", settings), until: 5)
    _ = try evaluations(try TrainingRun(resuming: world.place("broken")))
    for name in ["whole", "broken"] {
      let best = try RunFolder.locate(world.place("\(name)/best")).checkpoint
      #expect(best?.lastPathComponent == String(format: "step-%06d", expected))
    }
  }
}
