import CALM
import Foundation
import Testing
import Torch
import Training

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
  func resumesExactly(isLanguageModel: Bool, leadIn: Int) throws {
    let autoencoder = try world.autoencoder("autoencoder", world.settings(steps: 3))
    _ = try losses(of: autoencoder)
    func run(_ name: String) throws -> TrainingRun {
      let settings = world.settings(steps: 12)
      return isLanguageModel
        ? try world.languageModel(name, on: autoencoder.folder.modelURL, settings, leadIn: leadIn)
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
    let lines = try String(contentsOf: file, encoding: .utf8)
    try Data((lines + "{\"step\":5,\"loss\":1}\n{\"step\":6,\"lo").utf8).write(to: file)
    _ = try losses(of: try TrainingRun(resuming: world.place("run")))
    struct Line: Decodable { let step: Double }
    let steps = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
      try JSONDecoder().decode(Line.self, from: Data($0.utf8)).step
    }
    #expect(steps == [1, 2, 3, 4, 5, 6])
  }

  @Test("a run that has all its steps can be extended")
  func extends() throws {
    _ = try losses(of: try world.autoencoder("run", world.settings(steps: 2)))
    let longer = try TrainingRun(resuming: world.place("run"), steps: 4)
    #expect(try losses(of: longer).count == 2)
  }
}
