import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite("Run summaries", .serialized) struct RunSummaryTests {
  let world: TinyWorld

  init() throws {
    Runtime.threads = 1
    world = try TinyWorld()
  }

  private func summary(_ name: String) throws -> RunSummary { try RunSummary(of: world.place(name)) }

  @Test("A run is running while it is trained, then stopped or finished, with its latest metrics")
  func states() throws {
    var settings = world.settings(steps: 4)
    settings.evaluationInterval = 2
    do {
      let run = try world.autoencoder("run", settings)
      var seen: Set<RunState> = []
      try run.train { event in
        if let state = try? summary("run").state { seen.insert(state) }
        if case .step(let step) = event, step.step == 3 { return .stop }
        return .continue
      }
      #expect(seen == [.running])
    }
    let stopped = try summary("run")
    #expect(stopped.state == .stopped && stopped.kind == "autoencoder")
    #expect(stopped.step == 3 && stopped.totalSteps == 4 && stopped.evaluationStep == 2)
    #expect(stopped.loss != nil && stopped.evaluation["accuracy"] != nil && stopped.tokensPerSecond != nil)

    try TrainingRun(resuming: world.place("run"), limits: ResumedLimits(steps: 5)).train()
    let finished = try summary("run")
    #expect(finished.state == .finished && finished.step == 5 && finished.totalSteps == 5)
  }

  @Test("A run that ends with an error has failed, and its summary has the reason")
  func failed() throws {
    var settings = world.settings(steps: 4)
    settings.checkpointInterval = 2
    let run = try world.autoencoder("run", settings)
    // Writing into a file as if it were a folder fails.
    try FileManager.default.removeItem(at: world.place("run/checkpoints"))
    try Data().write(to: world.place("run/checkpoints"))
    #expect(throws: (any Error).self) { try run.train() }
    #expect(try summary("run").state == .failed)
    #expect(try summary("run").reason?.contains("checkpoints") == true)
  }

  @Test("A run whose process ended without recording why has crashed")
  func crashed() throws {
    _ = try world.autoencoder("run", world.settings(steps: 2)).train()
    let file = world.place("run/status.json")
    let status = try String(contentsOf: file, encoding: .utf8)
    try Data(status.replacingOccurrences(of: "finished", with: "running").utf8).write(to: file)
    #expect(try summary("run").state == .crashed)
  }

  @Test("A run that is being trained cannot be resumed by another process")
  func locked() throws {
    let run = try world.autoencoder("run", world.settings(steps: 2))
    try run.train { _ in
      #expect(throws: TrainingError.runTaken(world.place("run").path)) {
        try TrainingRun(resuming: world.place("run"))
      }
      return .continue
    }
  }

  @Test("All runs under a folder are found, the most recently active last, and damaged ones are reported")
  func list() throws {
    for name in ["runs/a", "runs/deep/b", "runs/c"] {
      let url = world.place(name)
      try Data("{}".utf8).write(to: try RunFolder(creating: url).recordURL)
    }
    try Data("{".utf8).write(to: world.place("runs/c/run.json"))
    let (runs, damaged) = RunSummary.all(under: world.place("runs"))
    #expect(Set(runs.map(\.path)) == [world.place("runs/a").path, world.place("runs/deep/b").path])
    #expect(runs.map(\.updated) == runs.map(\.updated).sorted())
    #expect(damaged as? [TrainingError] == [.damagedRecord(world.place("runs/c/run.json").path)])
  }
}
