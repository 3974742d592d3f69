import Foundation
import Testing

@Suite("Signals", .serialized) struct SignalTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.prepareData()
  }

  private func train(hidden: Int, batch: Int) throws -> TrainingProcess {
    try TrainingProcess([
      "train", "transformer", "--data", folder.path("data"), "--out", folder.path("run"), "--hidden-size", "\(hidden)",
      "--layers", "2", "--steps", "100000", "--batch-size", "\(batch)", "--sequence-length", "32", "--threads", "1",
    ])
  }

  @Test(
    "SIGINT and SIGTERM stop a run after the current step, with a checkpoint and the command to resume",
    arguments: [SIGINT, SIGTERM])
  func stops(signal: Int32) throws {
    let process = try train(hidden: 32, batch: 2)
    let run = WatchedRun(url: folder.url.appendingPathComponent("run"))
    _ = try process.wait { run.lastLoggedStep >= 10 }
    #expect(try run.state() == "running")
    process.send(signal)
    #expect(try process.end() == 130)
    let step = try #require(process.output.firstMatch(of: #/stopped after step (\d+)/#)?.1)
    #expect(process.output.contains("resume with: calm train transformer --resume \(run.url.path)"))
    #expect(process.output.split(separator: "\n").count == 1 && !process.errorOutput.contains("Error"))
    #expect(run.latest?.lastPathComponent.hasSuffix(step) == true)
    #expect(try run.state() == "stopped")
  }

  @Test("A second signal of either kind ends the process immediately", arguments: [SIGINT, SIGTERM])
  func secondSignal(second: Int32) throws {
    // Steps of many seconds: the process can end only between them or immediately.
    let process = try train(hidden: 512, batch: 256)
    let run = WatchedRun(url: folder.url.appendingPathComponent("run"))
    _ = try process.wait { process.errorOutput.contains("transformer …") }
    process.send(SIGINT)
    usleep(200_000)
    #expect(process.isRunning)
    process.send(second)
    #expect(try process.end() == -second)
    #expect(run.latest == nil)
    #expect(try run.state() == "crashed")
  }
}
