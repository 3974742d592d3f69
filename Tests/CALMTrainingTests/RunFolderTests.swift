import CALMTraining
import Foundation
import Synchronization
import Testing

@Suite("Run folders") struct RunFolderTests {
  private struct Full: Error {}

  private func withFolder(_ body: (URL) throws -> Void) throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("calm-run-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: url) }
    try body(url)
  }

  private func put(_ text: String, in folder: URL) throws {
    try Data(text.utf8).write(to: folder.appendingPathComponent("content"))
  }

  @Test("A checkpoint that cannot be written leaves the previous one and no other files")
  func failedCheckpoint() throws {
    try withFolder { url in
      let folder = try RunFolder(creating: url)
      try folder.addCheckpoint(step: 1, keeping: 2) { try put("good", in: $0) }
      #expect(throws: Full.self) {
        try folder.addCheckpoint(step: 2, keeping: 2) { checkpoint in
          try put("half", in: checkpoint)
          throw Full()
        }
      }
      #expect(try folder.latestCheckpoint().lastPathComponent == "step-000001")
      let names = try FileManager.default.contentsOfDirectory(atPath: url.appendingPathComponent("checkpoints").path)
      #expect(names == ["step-000001"])
    }
  }

  @Test("Only the latest checkpoints are kept")
  func oldCheckpointsGo() throws {
    try withFolder { url in
      let folder = try RunFolder(creating: url)
      for step in 1...4 { try folder.addCheckpoint(step: step, keeping: 2) { try put("\(step)", in: $0) } }
      let names = try FileManager.default.contentsOfDirectory(atPath: url.appendingPathComponent("checkpoints").path)
      #expect(names.sorted() == ["step-000003", "step-000004"])
    }
  }

  @Test("A checkpoint that is being removed is complete as long as it has its name")
  func goesAtOnce() throws {
    try withFolder { url in
      let folder = try RunFolder(creating: url)
      try folder.addCheckpoint(step: 1, keeping: 1) { checkpoint in
        for number in 0..<1000 { try Data("x".utf8).write(to: checkpoint.appendingPathComponent("\(number)")) }
      }
      let path = url.appendingPathComponent("checkpoints/step-000001").path
      let isOver = Mutex(false)
      let seen = Mutex<Set<Int>>([])
      let done = DispatchGroup()
      done.enter()
      Thread {
        while !isOver.withLock({ $0 }) {
          guard let count = try? FileManager.default.contentsOfDirectory(atPath: path).count else { continue }
          // A listing made during the rename may be incomplete.
          if FileManager.default.fileExists(atPath: path) { seen.withLock { _ = $0.insert(count) } }
        }
        done.leave()
      }.start()
      while seen.withLock({ $0.isEmpty }) { usleep(100) }
      let outcome = Result { try folder.addCheckpoint(step: 2, keeping: 1) { try put("2", in: $0) } }
      isOver.withLock { $0 = true }
      done.wait()
      try outcome.get()
      let counts = seen.withLock { $0 }
      #expect(counts == [1001])
      #expect(try checkpoints(url) == ["step-000002"])
    }
  }

  private func checkpoints(_ url: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: url.appendingPathComponent("checkpoints").path).sorted()
  }

  @Test("The best checkpoint is kept in addition to the latest ones, and the link leads to it")
  func bestStays() throws {
    try withFolder { url in
      let folder = try RunFolder(creating: url)
      try Data("{}".utf8).write(to: folder.recordURL)
      for step in 1...5 {
        try folder.addCheckpoint(step: step, keeping: 1, isBest: step == 2) { try put("\(step)", in: $0) }
      }
      #expect(try checkpoints(url) == ["step-000002", "step-000005"])
      let best = try RunFolder.locate(folder.bestURL)
      #expect(best.checkpoint?.lastPathComponent == "step-000002")
      #expect(try String(contentsOf: folder.bestURL.appendingPathComponent("content"), encoding: .utf8) == "2")
      try folder.addCheckpoint(step: 6, keeping: 1, isBest: true) { try put("6", in: $0) }
      #expect(try checkpoints(url) == ["step-000006"])
    }
  }

  @Test("The path of a run or of one of its checkpoints locates the run, and no other path does")
  func locates() throws {
    try withFolder { url in
      let folder = try RunFolder(creating: url)
      try Data("{}".utf8).write(to: folder.recordURL)
      for step in 1...3 { try folder.addCheckpoint(step: step, keeping: 3) { try put("\(step)", in: $0) } }
      #expect(try RunFolder.locate(url).checkpoint == nil)
      let first = url.appendingPathComponent("checkpoints/step-000001")
      let found = try RunFolder.locate(first)
      #expect(found.checkpoint?.lastPathComponent == "step-000001")
      #expect(found.run.url.lastPathComponent == url.lastPathComponent)
      #expect(throws: TrainingError.self) { try RunFolder.locate(url.appendingPathComponent("checkpoints")) }
      // A run resumed from an older checkpoint reaches the later steps again.
      try found.run.addCheckpoint(step: 2, keeping: 3) { try put("2", in: $0) }
      #expect(try checkpoints(url) == ["step-000001", "step-000002"])
    }
  }

  @Test("Temporary files of a killed process are removed when a run is locked, not when it is only opened")
  func leftoversGo() throws {
    try withFolder { url in
      try Data("{}".utf8).write(to: try RunFolder(creating: url).recordURL)
      let names = [".step-000007.partial-99-1", ".step-000005.partial"]
      for name in names {
        let leftover = url.appendingPathComponent("checkpoints/\(name)")
        try FileManager.default.createDirectory(at: leftover, withIntermediateDirectories: true)
        try put("half", in: leftover)
      }
      let folder = try RunFolder(opening: url)
      #expect(try checkpoints(url) == names.sorted())
      let lock = try folder.lock()
      #expect(try checkpoints(url).isEmpty)
      #expect(throws: TrainingError.runTaken(url.path)) { try folder.lock() }
      withExtendedLifetime(lock) {}
    }
  }

  @Test("A checkpoint or model survives a kill after either rename of its replacement", arguments: [1, 2])
  func replacementRecovered(renames: Int) throws {
    try withFolder { url in
      let folder = try RunFolder(creating: url)
      try Data("{}".utf8).write(to: folder.recordURL)
      try folder.addCheckpoint(step: 6, keeping: 2) { try put("old", in: $0) }
      try folder.writeModel { try put("old", in: $0) }
      for path in ["checkpoints/step-000006", "model"] {
        let target = url.appendingPathComponent(path)
        let parent = target.deletingLastPathComponent()
        let temporary = parent.appendingPathComponent(".\(target.lastPathComponent).partial-99-2")
        try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: true)
        try put("new", in: temporary)
        try FileManager.default.moveItem(at: target, to: URL(fileURLWithPath: temporary.path + "-old"))
        if renames == 2 { try FileManager.default.moveItem(at: temporary, to: target) }
      }
      let lock = try folder.lock()
      for place in [try folder.latestCheckpoint(), folder.modelURL] {
        let text = try String(contentsOf: place.appendingPathComponent("content"), encoding: .utf8)
        #expect(text == (renames == 1 ? "old" : "new"))
      }
      #expect(try checkpoints(url) == ["step-000006"])
      #expect(!(try FileManager.default.contentsOfDirectory(atPath: url.path).contains { $0.contains("partial") }))
      withExtendedLifetime(lock) {}
    }
  }

  @Test("A missing run, a run without checkpoints and a missing checkpoint are different errors")
  func errors() throws {
    try withFolder { url in
      #expect(throws: TrainingError.noRun(url.path)) { try RunFolder(opening: url) }
      let folder = try RunFolder(creating: url)
      #expect(throws: TrainingError.noCheckpoint(url.path)) { try folder.latestCheckpoint() }
      let latest = url.appendingPathComponent("latest")
      try Data("step-000009\n".utf8).write(to: latest)
      #expect(throws: TrainingError.checkpointMissing(latest.path, "step-000009")) { try folder.latestCheckpoint() }
      try Data("../../etc\n".utf8).write(to: latest)
      #expect(throws: TrainingError.self) { try folder.latestCheckpoint() }
    }
  }
}
