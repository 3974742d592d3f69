import CALMTraining
import Foundation
import Synchronization
import Testing

@Suite struct RunFolderTests {
  private struct Full: Error {}

  private func withFolder(_ body: (URL) throws -> Void) throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("calm-run-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: url) }
    try body(url)
  }

  private func put(_ text: String, in folder: URL) throws {
    try Data(text.utf8).write(to: folder.appendingPathComponent("content"))
  }

  @Test("a checkpoint that cannot be written leaves the one before, and no trace of itself")
  func failedCheckpoint() throws {
    try withFolder { url in
      let folder = try RunFolder(creating: url)
      try folder.addCheckpoint(step: 1, kept: 2) { try put("good", in: $0) }
      #expect(throws: Full.self) {
        try folder.addCheckpoint(step: 2, kept: 2) { checkpoint in
          try put("half", in: checkpoint)
          throw Full()
        }
      }
      #expect(try folder.latestCheckpoint().lastPathComponent == "step-000001")
      let names = try FileManager.default.contentsOfDirectory(atPath: url.appendingPathComponent("checkpoints").path)
      #expect(names == ["step-000001"])
    }
  }

  @Test("only the last checkpoints are kept")
  func oldCheckpointsGo() throws {
    try withFolder { url in
      let folder = try RunFolder(creating: url)
      for step in 1...4 { try folder.addCheckpoint(step: step, kept: 2) { try put("\(step)", in: $0) } }
      let names = try FileManager.default.contentsOfDirectory(atPath: url.appendingPathComponent("checkpoints").path)
      #expect(names.sorted() == ["step-000003", "step-000004"])
    }
  }

  @Test("a checkpoint that goes is whole as long as it has its name")
  func goesAtOnce() throws {
    try withFolder { url in
      let folder = try RunFolder(creating: url)
      try folder.addCheckpoint(step: 1, kept: 1) { checkpoint in
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
          // What was listed while the name went need not be whole.
          if FileManager.default.fileExists(atPath: path) { seen.withLock { _ = $0.insert(count) } }
        }
        done.leave()
      }.start()
      while seen.withLock({ $0.isEmpty }) { usleep(100) }
      let outcome = Result { try folder.addCheckpoint(step: 2, kept: 1) { try put("2", in: $0) } }
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

  @Test("the best checkpoint stays beside the last ones, and the link leads to it")
  func bestStays() throws {
    try withFolder { url in
      let folder = try RunFolder(creating: url)
      try Data("{}".utf8).write(to: folder.recordURL)
      for step in 1...5 {
        try folder.addCheckpoint(step: step, kept: 1, isBest: step == 2) { try put("\(step)", in: $0) }
      }
      #expect(try checkpoints(url) == ["step-000002", "step-000005"])
      let best = try RunFolder.locate(folder.bestURL)
      #expect(best.checkpoint?.lastPathComponent == "step-000002")
      #expect(try String(contentsOf: folder.bestURL.appendingPathComponent("content"), encoding: .utf8) == "2")
      try folder.addCheckpoint(step: 6, kept: 1, isBest: true) { try put("6", in: $0) }
      #expect(try checkpoints(url) == ["step-000006"])
    }
  }

  @Test("a path means a run, or a checkpoint and its run, and nothing else")
  func locates() throws {
    try withFolder { url in
      let folder = try RunFolder(creating: url)
      try Data("{}".utf8).write(to: folder.recordURL)
      for step in 1...3 { try folder.addCheckpoint(step: step, kept: 3) { try put("\(step)", in: $0) } }
      #expect(try RunFolder.locate(url).checkpoint == nil)
      let first = url.appendingPathComponent("checkpoints/step-000001")
      let found = try RunFolder.locate(first)
      #expect(found.checkpoint?.lastPathComponent == "step-000001")
      #expect(found.run.url.lastPathComponent == url.lastPathComponent)
      #expect(throws: TrainingError.self) { try RunFolder.locate(url.appendingPathComponent("checkpoints")) }
      // A run that is taken up before its last checkpoints comes by there again.
      try found.run.addCheckpoint(step: 2, kept: 3) { try put("2", in: $0) }
      #expect(try checkpoints(url) == ["step-000001", "step-000002"])
    }
  }

  @Test("what a killed process left half written or removed goes when another takes the run, not by looking at it")
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
      let claim = try folder.claim()
      #expect(try checkpoints(url).isEmpty)
      #expect(throws: TrainingError.runTaken(url.path)) { try folder.claim() }
      withExtendedLifetime(claim) {}
    }
  }

  @Test("a checkpoint or model survives a kill after either rename of its replacement", arguments: [1, 2])
  func replacementRecovered(renames: Int) throws {
    try withFolder { url in
      let folder = try RunFolder(creating: url)
      try Data("{}".utf8).write(to: folder.recordURL)
      try folder.addCheckpoint(step: 6, kept: 2) { try put("old", in: $0) }
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
      let claim = try folder.claim()
      for place in [try folder.latestCheckpoint(), folder.modelURL] {
        let text = try String(contentsOf: place.appendingPathComponent("content"), encoding: .utf8)
        #expect(text == (renames == 1 ? "old" : "new"))
      }
      #expect(try checkpoints(url) == ["step-000006"])
      #expect(!(try FileManager.default.contentsOfDirectory(atPath: url.path).contains { $0.contains("partial") }))
      withExtendedLifetime(claim) {}
    }
  }

  @Test("a missing run, a run without checkpoints and one that is gone are told apart")
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
