import CALM
import CALMCorpus
import CALMSupport
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

// Threads are the process's: these tests set one, and run one after the other.
@Suite(.serialized) struct ResumeTests {
  let world: TinyWorld

  init() throws {
    Runtime.threads = 1
    world = try TinyWorld()
  }

  @Test("the same seed gives the same losses, another seed others")
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
    "a resumed run has the losses of an unbroken one, bit for bit", arguments: [(false, 0), (true, 0), (true, 8)])
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

  @Test("metrics have one line a step, also after an interruption that outlived the last checkpoint")
  func metricsHaveNoStepTwice() throws {
    var settings = world.settings(steps: 6)
    settings.checkpointInterval = 2
    _ = try losses(of: try world.autoencoder("run", settings), until: 4)
    // A killed process leaves lines of steps that no checkpoint holds, and half a line.
    let file = world.place("run/metrics.jsonl")
    let written = try String(contentsOf: file, encoding: .utf8)
    try Data((written + "{\"step\":5,\"loss\":1}\n{\"step\":6,\"lo").utf8).write(to: file)
    _ = try losses(of: try TrainingRun(resuming: world.place("run")))
    struct Line: Decodable {
      let step: Double
      let loss: Double?
    }
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
      try JSONDecoder().decode(Line.self, from: Data($0.utf8))
    }
    // Beside the steps there is the evaluation at the end.
    let steps = lines.filter { $0.loss != nil }.map { $0.step }
    #expect(lines.count == 7)
    #expect(steps == [1, 2, 3, 4, 5, 6])
  }

  @Test("a run that has all its steps can be extended")
  func extends() throws {
    _ = try losses(of: try world.autoencoder("run", world.settings(steps: 2)))
    let longer = try TrainingRun(resuming: world.place("run"), limits: ResumedLimits(steps: 4))
    #expect(try losses(of: longer).count == 2)
  }

  @Test("new limits are kept: extended, stopped and taken up without them, a run has the steps of the extension")
  func keepsLimits() throws {
    _ = try losses(of: try world.autoencoder("run", world.settings(steps: 2)))
    _ = try losses(of: try TrainingRun(resuming: world.place("run"), limits: ResumedLimits(steps: 6)), until: 4)
    let plain = try TrainingRun(resuming: world.place("run"))
    #expect(plain.trainer.total == 6)
    #expect(try losses(of: plain).count == 2)
  }

  @Test("batches left out after the last checkpoint are written down once, though the run comes by them again")
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

  @Test("data prepared anew are refused by name though as many; a run that does not say what its data were goes on")
  func otherData() throws {
    _ = try losses(of: try world.transformer("run", world.settings(steps: 6)), until: 3)
    try reverseDocuments(in: world.data)
    #expect(throws: TrainingError.otherData(world.data)) { try TrainingRun(resuming: world.place("run")) }

    // As an earlier version wrote it.
    let checkpoint = try RunFolder(opening: world.place("run")).latestCheckpoint()
    func change(_ name: String, _ body: (inout [String: Any]) -> Void) throws -> Data {
      let file = checkpoint.appendingPathComponent(name)
      var object = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
      body(&object)
      let data = try JSONSerialization.data(withJSONObject: object)
      try data.write(to: file)
      return data
    }
    let state = try change("state.json") { $0["data"] = nil }
    let checksum = state.withUnsafeBytes { CRC32.checksum(of: $0) }
    _ = try change("checksums.json") { seal in
      var files = seal["files"] as? [String: Any] ?? [:]
      files["state.json"] = ["bytes": state.count, "crc32": Int(checksum)]
      seal["files"] = files
    }
    #expect(try TrainingRun(resuming: world.place("run")).step == 3)
  }

  @Test("with an average of the weights a run goes on exactly, and checkpoints and model are the average")
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

  @Test("a run goes on from an older checkpoint with the losses it had from there")
  func olderCheckpoint() throws {
    var settings = world.settings(steps: 9)
    (settings.checkpointInterval, settings.checkpointsToKeep) = (3, 5)
    let unbroken = try losses(of: try world.autoencoder("run", settings))
    let again = try TrainingRun(resuming: world.place("run/checkpoints/step-000003"))
    #expect(again.step == 3)
    #expect(try losses(of: again) == Array(unbroken.dropFirst(3)))
  }

  @Test("layers computed again in the backward pass give the same run, bit for bit")
  func gradientCheckpointing() throws {
    let plain = try losses(of: try world.transformer("plain", world.settings(steps: 4)))
    var settings = world.settings(steps: 4)
    settings.gradientCheckpointing = true
    #expect(try losses(of: try world.transformer("again", settings)) == plain)
  }

  @Test("the best checkpoint is that of the best evaluation, and an interruption does not change which")
  func best() throws {
    var settings = world.settings(steps: 8)
    (settings.evaluationInterval, settings.evaluationBlocks, settings.bestBy) = (2, 4, "accuracy")
    // A rate that ruins the model late in the run.
    settings.schedule = LearningRateSchedule(peak: 5e-2, warmupSteps: 40)
    func evaluations(_ run: TrainingRun, until last: Int = .max) throws -> [(step: Int, value: Double)] {
      var found: [(Int, Double)] = []
      try run.trainer.run { event in
        if case .evaluation(let step, let figures) = event { found.append((step, figures["accuracy"] ?? .nan)) }
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
