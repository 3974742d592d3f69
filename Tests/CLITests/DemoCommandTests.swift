import Foundation
import Testing

/// Tests of `calm demo` runs that end early. The tests of other commands use the models of a complete run.
@Suite("calm demo") struct DemoCommandTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Runs a demo that fails before training, and checks its error and that it leaves no folder.
  private func expectFailure(of text: String, _ options: String..., saying phrases: String...) throws {
    let result = try Command.run(
      ["demo", "--quick", "--threads", "1", "--out", folder.path("demo"), "--text", folder.path(text)] + options)
    #expect(result.status == 1 && result.output.isEmpty)
    for phrase in phrases { #expect(result.errorOutput.contains(phrase), "\(result.errorOutput)") }
    #expect(!FileManager.default.fileExists(atPath: folder.path("demo")))
  }

  @Test("A demo reports invalid text with the flag that accepts it, and leaves no folder")
  func faults() throws {
    try folder.write(Data("good line\nbad ".utf8) + Data([0xFF]) + Data(" line\n".utf8), "latin.txt")
    try expectFailure(of: "latin.txt", saying: "latin.txt: not valid UTF-8 at byte 14", "--lossy")
    try expectFailure(of: "latin.txt", "--lossy", saying: "1 document repaired", "Error: the data is too small")
    try folder.write("{\"text\": \"one one one\"}\n{\"text\": \n", "cut.jsonl")
    try expectFailure(of: "cut.jsonl", saying: "cut.jsonl:2:", "--skip-malformed")
    try expectFailure(
      of: "cut.jsonl", "--skip-malformed", saying: "1 malformed line skipped", "Error: the data is too small")
  }

  @Test("An interrupted demo writes a checkpoint and prints the command that resumes training")
  func interrupted() throws {
    let stories = (0..<400).map { "Story \($0): the cat sat on mat number \($0 % 7), and the dog ran off.\n" }
    try folder.write(stories.joined(), "stories.txt")
    let process = try TrainingProcess([
      "demo", "--text", folder.path("stories.txt"), "--document-unit", "lines", "--head", "energy",
      "--threads", "1", "--out", folder.path("demo"),
    ])
    let run = WatchedRun(url: folder.url.appendingPathComponent("demo/autoencoder"))
    let isTraining = try process.wait { run.lastLoggedStep >= 10 }
    #expect(isTraining, "\(process.errorOutput)")
    process.send(SIGINT)
    #expect(try process.end() == 130)
    let step = try #require(process.output.firstMatch(of: #/stopped after step (\d+)/#)?.1)
    #expect(process.output.contains("resume with: calm train autoencoder --resume \(run.url.path)\n"))
    #expect(process.output.split(separator: "\n").count == 1 && !process.errorOutput.contains("Error"))
    let next = try #require(Int(step)) + 1
    let resumed = try Command.run([
      "train", "autoencoder", "--resume", run.url.path, "--steps", "\(next)", "--threads", "1", "--json",
    ])
    #expect(try resumed.json()["step"] as? Int == next, "\(resumed.errorOutput)")
  }
}
