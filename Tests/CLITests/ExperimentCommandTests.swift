import Foundation
import Testing

/// Tests of the command line of `calm experiment`; the training is tested with the library.
@Suite("calm experiment") struct ExperimentCommandTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func check(_ text: String, as name: String = "plan.yaml") throws -> CommandResult {
    let file = folder.path(name)
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    return try Command.run(["experiment", file, "--out", folder.path("out"), "--check"])
  }

  @Test(
    "The experiments in the repository are valid",
    arguments: [("stories.yaml", 13, "lm-chunk_size-2-head-flow\n"), ("paper.yaml", 27, "lm-energy_samples-12\n")])
  func examples(file: String, models: Int, name: String) throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let result = try Command.run([
      "experiment", root.appendingPathComponent("examples/\(file)").path, "--out", folder.path("out"), "--check",
    ])
    #expect(result.status == 0, "\(result.errorOutput)")
    #expect(result.text.split(separator: "\n").count == models && result.text.contains(name))
    #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
  }

  @Test("An invalid file is refused with one line, and nothing is written")
  func refused() throws {
    expectFailure(try check("stories: {}\nmodels:\n  - {name: t, steps: 5, hiden: 32}"), saying: "models[0]", "'hiden'")
    expectFailure(try check("stories: {}\nmodels: [{name: t, steps: 5"), saying: "plan.yaml", "at line")
    expectFailure(try check("{\"stories\": {},\n}", as: "plan.json"), saying: "plan.json", "line 2")
    expectFailure(try check("stories: {}", as: "plan.toml"), saying: "plan.toml", ".yaml")
    expectFailure(
      try Command.run(["experiment", folder.path("none.yaml"), "--out", folder.path("out")]), saying: "none.yaml")
    #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
  }
}
