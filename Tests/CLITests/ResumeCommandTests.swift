import Foundation
import Testing

@Suite("Resuming a run") struct ResumeCommandTests {
  private let folder: TemporaryFolder
  private var run: String { folder.path("run") }

  /// A run of four steps that keeps only its last checkpoint.
  init() throws {
    folder = try TemporaryFolder()
    let result = try Command.run([
      "train", "transformer", "--data", try folder.prepareData(), "--out", folder.path("run"), "--hidden-size", "32",
      "--layers", "1", "--steps", "4", "--batch-size", "2", "--sequence-length", "16", "--threads", "1", "--precision",
      "float32", "--checkpoint-interval", "1", "--keep-checkpoints", "1", "--best-metric", "none",
    ])
    try #require(result.status == 0, "\(result.errorOutput)")
  }

  private func resume(_ arguments: String...) throws -> CommandResult {
    try Command.run(["train", "transformer", "--resume", run] + arguments)
  }

  @Test("Settings other than limits, threads and processes are refused by name, on the command line and in a file")
  func settingsStay() throws {
    let file = try folder.write("layers: 2\nsteps: 9\n", "run.yaml").path
    let other = try resume("--hidden-size", "512", "--precision=float32", "--tie-embeddings", "--config", file)
    #expect(other.status == 64)
    #expect(other.errorOutput.contains("Error: --hidden-size, --precision, --tie-embeddings cannot be changed"))
    #expect(other.errorOutput.contains("run.yaml: 'layers' cannot be changed"))
    expectFailure(try resume("--config", file), saying: "run.yaml: 'layers' cannot be changed")
    for command in ["autoencoder", "lm"] {
      expectFailure(
        try Command.run(["train", command, "--resume", run, "--print-settings"]),
        saying: "this run was started with 'calm train transformer'", "calm train transformer --resume \(run)")
    }
    let limits = try folder.write("steps: 9\n", "limits.yaml").path
    let printed = try resume(
      "--config", limits, "--processes", "2", "--process-timeout", "9", "--threads", "1", "--print-settings")
    #expect(printed.status == 0, "\(printed.errorOutput)")
    #expect(try printed.json()["steps"] as? Int == 9)
  }

  @Test("A run resumes with its precision and threads, and a finished run reports no metrics that it does not have")
  func precisionAndThreads() throws {
    let ended = try resume()
    #expect(ended.status == 0, "\(ended.errorOutput)")
    #expect(ended.errorOutput.contains("cpu, 1 thread, float32\n"), "\(ended.errorOutput)")
    #expect(ended.text.contains("trained 4 steps") && !ended.text.contains("nan"), "\(ended.text)")
    let more = try resume("--steps", "5", "--threads", "2")
    #expect(more.errorOutput.contains("cpu, 2 threads, float32\n"), "\(more.errorOutput)")
  }

  @Test("Processes restarted by a launcher resume the run, regardless of the starting point that their options name")
  func restarts() throws {
    func again(_ variable: String, _ options: String) throws -> CommandResult {
      try Command.shell("\(variable) \"$CALM\" train transformer \(options)", in: folder.url)
    }
    let gone = "--resume \"$DIR/run/checkpoints/step-000001\" --steps 5"
    expectFailure(
      try again("TORCHELASTIC_RESTART_COUNT=0", gone), saying: "step-000001: no such checkpoint; the run keeps step-")
    let resumed = try again("TORCHELASTIC_RESTART_COUNT=1", gone)
    #expect(resumed.status == 0, "\(resumed.errorOutput)")
    #expect(resumed.errorOutput.contains("resuming after step 4 of 5"), "\(resumed.errorOutput)")
    let begun = "--data \"$DIR/data\" --out \"$DIR/run\" --steps 6"
    expectFailure(try again("SLURM_RESTART_COUNT=0", begun), saying: "already contains a training run")
    let queued = try again("SLURM_RESTART_COUNT=1", begun)
    #expect(queued.status == 0, "\(queued.errorOutput)")
    #expect(queued.errorOutput.contains("resuming after step 5 of 6"), "\(queued.errorOutput)")
  }
}
