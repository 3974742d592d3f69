import CALM
import CALMCorpus
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite("Checks before a run is resumed", .serialized) struct ResumeCheckTests {
  let world: TinyWorld

  init() throws {
    Runtime.threads = 1
    world = try TinyWorld()
  }

  enum Obstacle: CaseIterable { case unknownDevice, missingData, otherData }

  private func put(_ obstacle: Obstacle) throws {
    switch obstacle {
    case .unknownDevice:
      let file = world.place("run/run.json")
      var record = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
      var settings = try #require(record["settings"] as? [String: Any])
      settings["device"] = "abacus"
      record["settings"] = settings
      try JSONSerialization.data(withJSONObject: record).write(to: file)
    case .missingData: try FileManager.default.moveItem(atPath: world.data, toPath: world.data + "-moved")
    case .otherData: try reverseDocuments(in: world.data)
    }
  }

  /// The contents of all files of the run except the lock, which a resume may create.
  private func content() throws -> [String: Data] {
    let run = world.place("run")
    var files: [String: Data] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: run.path) where path != "lock" {
      files[path] = (try? Data(contentsOf: run.appendingPathComponent(path))) ?? Data()
    }
    return files
  }

  @Test(
    "Resuming a run that fails because of its device or data changes no file of the run",
    arguments: Obstacle.allCases, [false, true])
  func refusedUnchanged(obstacle: Obstacle, isNamed: Bool) throws {
    var settings = world.settings(steps: 8)
    (settings.checkpointInterval, settings.checkpointsToKeep) = (2, 5)
    _ = try losses(of: try world.autoencoder("run", settings), until: 6)
    if !isNamed {
      // Resuming would rename this checkpoint.
      try Data().write(to: world.place("run/checkpoints/step-000006/model.safetensors"))
    }
    try put(obstacle)
    let before = try content()
    let place = world.place(isNamed ? "run/checkpoints/step-000002" : "run")
    #expect(throws: (any Error).self) { try TrainingRun(resuming: place) }
    #expect(try content() == before)
  }
}
