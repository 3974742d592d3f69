import CALM
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite(.serialized) struct DamagedCheckpointTests {
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

  enum Damage: CaseIterable { case flippedBit, cutShort, missing, emptySeal, missingSeal, halfDeleted, missingFolder }

  private func damage(_ checkpoint: URL, _ damage: Damage, file: String) throws {
    let (file, seal) = (checkpoint.appendingPathComponent(file), checkpoint.appendingPathComponent("checksums.json"))
    var content = try Data(contentsOf: file)
    switch damage {
    case .flippedBit: content[content.count * 3 / 4] ^= 0x10
    case .cutShort: content = content.dropLast(content.count / 3)
    case .missing: return try FileManager.default.removeItem(at: file)
    case .emptySeal: return try Data().write(to: seal)
    case .missingSeal: return try FileManager.default.removeItem(at: seal)
    case .halfDeleted:
      try FileManager.default.removeItem(at: seal)
      return try FileManager.default.removeItem(at: file)
    case .missingFolder: return try FileManager.default.removeItem(at: checkpoint)
    }
    try content.write(to: file)
  }

  @Test("where the latest checkpoint is damaged, the one before goes on to the same weights, and it is told")
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

  @Test("a checkpoint that 'latest' did not come to name goes on where the one named is damaged and the only other")
  func fallsForward() throws {
    _ = try losses(of: try world.autoencoder("run", settings()), until: 6)
    try Data("step-000004\n".utf8).write(to: world.place("run/latest"))
    try damage(world.place("run/checkpoints/step-000004"), .flippedBit, file: "model.safetensors")
    let resumed = try TrainingRun(resuming: world.place("run"))
    #expect(resumed.step == 6 && resumed.damage.count == 1)
  }

  @Test("a run whose checkpoints are all damaged is refused, with the first damage")
  func allDamaged() throws {
    _ = try losses(of: try world.autoencoder("run", settings()), until: 4)
    for step in [2, 4] {
      try damage(world.place("run/checkpoints/step-00000\(step)"), .flippedBit, file: "model.safetensors")
    }
    let error = #expect(throws: TrainingError.self) { try TrainingRun(resuming: world.place("run")) }
    #expect(error?.description.contains("step-000004/model.safetensors") == true)
  }

  @Test("a run that ended before its first checkpoint begins again, and comes to the same weights")
  func withoutCheckpoint() throws {
    _ = try losses(of: try world.autoencoder("unbroken", settings()))
    _ = try world.autoencoder("run", settings())
    let begun = try TrainingRun(resuming: world.place("run"))
    #expect(begun.step == 0 && begun.damage.isEmpty)
    try begun.train()
    #expect(try weights("run") == weights("unbroken"))
  }

  @Test("an older name in 'latest' takes a run back to that checkpoint")
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
    // Its metrics end at step 6 now, so what was later must not be taken up any more.
    #expect(try names() == later.map { "abandoned-" + $0 } + ["step-000006"])
    try again.train()
    #expect(try names() == ["step-000006", "step-000007"])
  }
}
