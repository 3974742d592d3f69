import CALM
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite("Damaged checkpoints", .serialized) struct DamagedCheckpointTests {
  let world: TinyWorld

  init() throws {
    Runtime.threads = 1
    world = try TinyWorld()
  }

  private func settings() -> TrainingSettings {
    var settings = world.settings(steps: 8)
    settings.checkpointInterval = 2
    return settings
  }

  private func weights(_ run: String) throws -> Data {
    try Data(contentsOf: world.place(run + "/model/model.safetensors"))
  }

  enum Damage: CaseIterable {
    case flippedBit, cutShort, missing, emptyManifest, missingManifest, halfDeleted, missingFolder
  }

  private func damage(_ checkpoint: URL, _ damage: Damage, file: String) throws {
    let (file, manifest) = (
      checkpoint.appendingPathComponent(file), checkpoint.appendingPathComponent("checksums.json")
    )
    var content = try Data(contentsOf: file)
    switch damage {
    case .flippedBit: content[content.count * 3 / 4] ^= 0x10
    case .cutShort: content = content.dropLast(content.count / 3)
    case .missing: return try FileManager.default.removeItem(at: file)
    case .emptyManifest: return try Data().write(to: manifest)
    case .missingManifest: return try FileManager.default.removeItem(at: manifest)
    case .halfDeleted:
      try FileManager.default.removeItem(at: manifest)
      return try FileManager.default.removeItem(at: file)
    case .missingFolder: return try FileManager.default.removeItem(at: checkpoint)
    }
    try content.write(to: file)
  }

  @Test(
    "If the latest checkpoint is damaged, the run resumes from the one before with the same final weights and reports the damage"
  )
  func fallsBack() throws {
    _ = try losses(of: try world.autoencoder("unbroken", settings()))
    _ = try losses(of: try world.autoencoder("run", settings()), until: 6)
    for name in ["model.safetensors", "optimizer.safetensors", "state.json"] {
      for kind in Damage.allCases where name == "model.safetensors" || kind == .flippedBit {
        let copy = world.place("copy")
        defer { try? FileManager.default.removeItem(at: copy) }
        try FileManager.default.copyItem(at: world.place("run"), to: copy)
        try damage(copy.appendingPathComponent("checkpoints/step-000006"), kind, file: name)
        do {
          let resumed = try TrainingRun(resuming: copy)
          #expect(resumed.step == 4)
          #expect(resumed.damage.count == 1)
          #expect(resumed.damage.first?.description.contains("step-000006") == true)
          try resumed.train()
        }
        #expect(try weights("copy") == weights("unbroken"), "\(name), \(kind)")
        let latest = try RunFolder(opening: copy).latestCheckpoint()
        #expect(latest.lastPathComponent == "step-000008")
      }
    }
  }

  @Test("A run resumes from a checkpoint newer than 'latest' if the one that it names is damaged and there is no other")
  func fallsForward() throws {
    _ = try losses(of: try world.autoencoder("run", settings()), until: 6)
    try Data("step-000004\n".utf8).write(to: world.place("run/latest"))
    try damage(world.place("run/checkpoints/step-000004"), .flippedBit, file: "model.safetensors")
    let resumed = try TrainingRun(resuming: world.place("run"))
    #expect(resumed.step == 6 && resumed.damage.count == 1)
  }

  @Test("Resuming a run whose checkpoints are all damaged is an error that names the first damage")
  func allDamaged() throws {
    _ = try losses(of: try world.autoencoder("run", settings()), until: 4)
    for step in [2, 4] {
      try damage(world.place("run/checkpoints/step-00000\(step)"), .flippedBit, file: "model.safetensors")
    }
    let error = #expect(throws: TrainingError.self) { try TrainingRun(resuming: world.place("run")) }
    #expect(error?.description.contains("step-000004/model.safetensors") == true)
  }

  @Test("A run that ended before its first checkpoint starts again and ends with the same weights")
  func withoutCheckpoint() throws {
    _ = try losses(of: try world.autoencoder("unbroken", settings()))
    _ = try world.autoencoder("run", settings())
    let begun = try TrainingRun(resuming: world.place("run"))
    #expect(begun.step == 0 && begun.damage.isEmpty)
    try begun.train()
    #expect(try weights("run") == weights("unbroken"))
  }

  @Test("A run resumes from an older checkpoint if 'latest' names it")
  func takenBack() throws {
    _ = try losses(of: try world.autoencoder("run", settings()))
    try Data("step-000006\n".utf8).write(to: world.place("run/latest"))
    func names() throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: world.place("run/checkpoints").path).sorted()
    }
    let later = try names().filter { $0 > "step-000006" }
    #expect(!later.isEmpty)
    let again = try TrainingRun(resuming: world.place("run"), limits: ResumedLimits(steps: 7))
    #expect(again.step == 6)
    // The metrics now end at step 6, so nothing may resume from later checkpoints.
    #expect(try names() == later.map { "abandoned-" + $0 } + ["step-000006"])
    try again.train()
    #expect(try names() == ["step-000006", "step-000007"])
  }
}
