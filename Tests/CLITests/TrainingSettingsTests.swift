import Foundation
import Testing

@Suite("Settings of trainings: files, options, limits")
struct TrainingSettingsTests {
  private let folder: TemporaryFolder
  private let data: String

  init() throws {
    folder = try TemporaryFolder()
    data = try folder.prepareData("--validation-fraction", "0.1")
  }

  private func settings(_ yaml: String, _ name: String = "run.yaml") throws -> String {
    try folder.write(yaml, name).path
  }

  /// A Transformer small enough to be trained in a moment.
  private static let small = """
    hidden_size: 32   # widths
    layers: 1
    sequence_length: 32
    batch_size: 4
    steps: 2
    precision: float32
    threads: 1

    """

  private func train(_ arguments: String...) throws -> CommandResult {
    try Command.run(["train", "transformer"] + arguments)
  }

  /// The settings that a command would train with.
  private func resolved(_ arguments: [String]) throws -> [String: Any] {
    let result = try Command.run(arguments + ["--print-settings"])
    #expect(result.status == 0, "\(result.errorOutput)")
    return try result.json()
  }

  /// JSON in one form, to be compared.
  private func bytes(_ value: Any) throws -> Data {
    try JSONSerialization.data(withJSONObject: value, options: .sortedKeys)
  }

  @Test("a file stands for the options that it names, options go before it, and run.json holds what is resolved")
  func files() throws {
    let file = try settings(
      Self.small + "ema_decay: 0.9\ngradient_checkpointing: true\ndata:\n  \(data): 0.7\n  \(data): 1\n")
    expectFailure(try train("--config", file), saying: "run.yaml", "twice")

    let good = try settings(
      Self.small + "ema_decay: 0.9\ngradient_checkpointing: true\ndata: {\(data): 0.7}\nlog_interval: 1\n")
    let run = folder.path("run")
    let arguments = [
      "train", "transformer", "--config", good, "--out", run, "--steps=3", "--no-gradient-checkpointing",
    ]
    let printed = try resolved(arguments)
    #expect(!FileManager.default.fileExists(atPath: run))
    #expect(printed["steps"] as? Int == 3)
    #expect(printed["batch_size"] as? Int == 4)
    #expect(printed["ema_decay"] as? Double == 0.9)
    #expect(printed["gradient_checkpointing"] as? Bool == false)

    let result = try Command.run(arguments + ["--json"])
    #expect(result.status == 0, "\(result.errorOutput)")
    #expect(try result.json()["step"] as? Int == 3)
    let record = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: run + "/run.json")))
    let stored = try #require((record as? [String: Any])?["settings"])
    #expect(try bytes(stored) == bytes(printed))
    let metrics = try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8)
    #expect(metrics.contains("loader_wait_seconds") && metrics.contains("\"tokens\":384"))
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: run + "/best").hasPrefix("checkpoints/step-"))
    let evaluated = try Command.run(["eval", "transformer", run + "/best", "--data", data, "--threads", "1"])
    #expect(evaluated.status == 0, "\(evaluated.errorOutput)")
  }

  @Test("Printed settings, and the run.json of a run, are files of the same settings")
  func printedSettings() throws {
    let first = try Command.run(
      ["train", "autoencoder", "--data", "\(data):2", "--steps", "3", "--no-variational", "--print-settings"])
    #expect(first.status == 0, "\(first.errorOutput)")
    let file = try settings(first.text)
    let second = try Command.run(["train", "autoencoder", "--config", file, "--print-settings"])
    #expect(second.text == first.text && second.errorOutput.isEmpty, "\(second.errorOutput)")
    let run = folder.path("run")
    let trained = try Command.run(["train", "autoencoder", "--config", file, "--out", run])
    #expect(trained.status == 0, "\(trained.errorOutput)")
    for again in [["--config", run + "/run.json"], ["--resume", run]] {
      let printed = try Command.run(["train", "autoencoder"] + again + ["--print-settings"])
      #expect(printed.text == first.text, "\(printed.errorOutput)")
    }
    expectFailure(
      try train("--config", run + "/run.json", "--print-settings"),
      saying: "run.json: these are the settings of a run of 'autoencoder', not of 'transformer'")
  }

  @Test("the help of a training command, in both forms, lists every setting with its default")
  func help() throws {
    let help = try Command.run(["train", "lm", "--help"])
    #expect(help.status == 0 && help.text.contains("OPTIMIZER:") && help.text.contains("(default: 5000)"))
    #expect(try Command.run(["help", "train", "lm"]).text == help.text)
  }

  @Test("a JSON file says the same as a YAML file")
  func json() throws {
    let yaml = try settings(Self.small + "data: \(data)\nout: \(folder.path("run"))\n")
    let json = try settings(
      """
      {"hidden_size": 32, "layers": 1, "sequence_length": 32, "batch_size": 4, "steps": 2, "precision": "float32",
       "threads": 1, "data": ["\(data)"], "out": "\(folder.path("run"))"}
      """, "run.json")
    let one = try resolved(["train", "transformer", "--config", yaml])
    #expect(try bytes(one) == bytes(resolved(["train", "transformer", "--config", json])))
  }

  @Test("everything wrong in a file is told at once, with the nearest name")
  func badFiles() throws {
    let file = try settings(
      "stepps: 3\nhidden_size: true\nlearning_rate: 99\nkeep_checkpoints: [1, 2]\ngradient_checkpointing: 7\n"
        + "chunk: 4\ndata: \(data)\n")
    expectFailure(
      try train("--config", file), saying: "run.yaml: 'stepps'", "did you mean 'steps'?", "'hidden_size' must be",
      "above 0 and below 10", "'keep_checkpoints' must be", "'gradient_checkpointing' must be true or false",
      "'chunk' is not a setting")
    // What the settings contradict is told beside the names.
    let both = try settings(
      "stepps: 3\nbatch_size: 6\ngradient_accumulation: 4\nwarmup_steps: 9\n")
    expectFailure(
      try train("--config", both, "--data", data), saying: "'stepps'", "'batch_size' 6 cannot be split",
      "'warmup_steps' 9 takes all 3 steps", "--out")
    expectFailure(try train("--config", folder.path("no.yaml")), saying: "no.yaml")
    expectFailure(try train("--config", try settings("- 1\n")), saying: "run.yaml", "mapping")
    expectFailure(try train("--config", try settings("steps: [\n")), saying: "run.yaml")
    expectFailure(try train("--config", try settings("resume: x\n")), saying: "'resume' is not a setting")
  }

  @Test("everything wrong on the command line is told at once, with the nearest name, beside what is wrong in a file")
  func badArguments() throws {
    let file = try settings("keepp: 3\n")
    let result = try Command.run([
      "train", "lm", "--hidden", "96", "--shedule=cosine", "--no-shard-optimiser", "--learning-rate", "99",
      "--ema-decay",
      "3", "stray", "--config", file, "--energy-beta",
    ])
    #expect(result.status == 64)
    let lines = result.errorOutput.split(separator: "\n")
    let line = lines.first ?? ""
    #expect(line.hasPrefix("Error: "))
    for phrase in [
      "'--hidden' is not an option of this command; did you mean '--hidden-size'?", "'--shedule'", "'--schedule'?",
      "'--no-shard-optimizer'?", "--learning-rate must be a number above 0 and below 10, not '99'",
      "--ema-decay must be",
      "'stray' belongs to no option", "'--energy-beta' needs a value", "run.yaml: 'keepp'", "with --data", "with --out",
      "with --autoencoder",
    ] {
      #expect(line.components(separatedBy: phrase).count == 2, "'\(line)' does not say '\(phrase)' once")
    }
    #expect(lines.dropFirst().first?.hasPrefix("Usage: calm train lm") == true, "\(result.errorOutput)")
    let help = try Command.run(["train", "lm", "--hidden", "96", "--help"])
    #expect(help.status == 0 && help.text.contains("--hidden-size"))
  }

  @Test("contradictory options are refused before anything is made")
  func contradictions() throws {
    let out = folder.path("run")
    func refused(_ arguments: [String], saying phrase: String) throws {
      let result = try Command.run(["train"] + arguments + ["--threads", "1"])
      #expect(result.status != 0)
      #expect(result.errorOutput.contains(phrase), "\(arguments): \(result.errorOutput)")
      #expect(!FileManager.default.fileExists(atPath: out))
    }
    let new = ["transformer", "--data", data, "--out", out]
    try refused(
      new + ["--batch-size", "6", "--gradient-accumulation", "4"], saying: "cannot be split into the 4 parts")
    try refused(new + ["--gradient-accumulation", "5"], saying: "cannot be split into the 5 parts")
    try refused(new + ["--max-time", "soon"], saying: "--max-time")
    try refused(new + ["--ema-decay", "1"], saying: "--ema-decay")
    try refused(new + ["--best-metric", "beauty"], saying: "cross_entropy")
    try refused(["transformer", "--data", data + ":-1", "--out", out], saying: "above 0")
    try refused(
      ["autoencoder", "--data", data, "--out", out, "--gradient-checkpointing"],
      saying: "'--gradient-checkpointing' is not an option")
    try refused(["autoencoder", "--data", data, "--out", out, "--sequence-length", "30"], saying: "chunks of 4")
    try refused(
      ["transformer", "--resume", "x", "--ema-decay", "0.9", "--keep-checkpoints", "3"],
      saying: "--ema-decay, --keep-checkpoints cannot be changed")
    try refused(["transformer", "--gradient-accumulation", "0"], saying: "--gradient-accumulation")
    try refused(new + ["--steps", "9", "--warmup-steps", "9"], saying: "--warmup-steps 9 takes all 9 steps")
    try refused(
      new + ["--max-tokens", "90", "--batch-size", "1", "--sequence-length", "10", "--warmup-steps", "9"],
      saying: "--warmup-steps 9 takes all 9 steps")
    try refused(
      new + ["--schedule", "cosine", "--decay-fraction", "0.3"],
      saying: "--decay-fraction has no effect with --schedule cosine")
    try refused(new + ["--shard-optimizer"], saying: "--shard-optimizer has no effect in a single process")
    try refused(new + ["--sequence-length", "4"], saying: "use a sequence length of at least 5 tokens")
    let calm = ["lm", "--data", data, "--out", out, "--autoencoder", "x"]
    try refused(calm + ["--steps", "9", "--aux-warmup-steps", "9"], saying: "--aux-warmup-steps 9 takes all 9 steps")
    try refused(calm + ["--head", "flow", "--noise-size", "8"], saying: "--noise-size has no effect with --head flow")
    try refused(calm + ["--latent-bound", "8"], saying: "--latent-bound has no effect with --head energy")
  }

  @Test("held-out text too short to score is refused before the first step")
  func shortHeldOut() throws {
    try folder.write(String(repeating: "a\n", count: 60), "short.txt")
    let short = folder.path("short")
    let prepared = try Command.run([
      "data", "prepare", folder.path("short.txt"), "--document-unit", "lines", "--tokenizer",
      folder.path("tokenizer.json"),
      "--validation-fraction", "0.5", "--validation-max-documents", "1", "--out", short,
    ])
    #expect(prepared.status == 0, "\(prepared.errorOutput)")
    let file = try settings(Self.small)
    expectFailure(
      try train("--config", file, "--data", short, "--out", folder.path("run")), saying: "short: the held-out part has",
      "--validation-fraction 0")
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
    let beside = try train("--config", file, "--data", short, "--data", data, "--out", folder.path("run"))
    #expect(beside.status == 0, "\(beside.errorOutput)")
  }

  @Test("limits of tokens and time end a run with a model, and say so")
  func limits() throws {
    let file = try settings(Self.small + "data: \(data)\n")
    let tokens = try train("--config", file, "--steps", "100", "--max-tokens", "400", "--out", folder.path("a"))
    #expect(tokens.text.contains("the limit of --max-tokens is reached; trained 4 steps"), "\(tokens.errorOutput)")
    let time = try train("--config", file, "--steps", "100000", "--max-time", "1s", "--out", folder.path("b"))
    #expect(time.text.contains("the time of --max-time is up"), "\(time.errorOutput)")
    #expect(FileManager.default.fileExists(atPath: folder.path("b/model/config.json")))
    let alone = try resolved(
      [
        "train", "transformer", "--data", data, "--out", "x", "--max-tokens", "99999", "--batch-size", "1",
        "--sequence-length",
        "10",
      ])
    #expect(alone["steps"] as? Int == 10_000)
    let unclipped = try resolved(["train", "transformer", "--data", data, "--out", "x", "--gradient-clip", "0"])
    #expect(unclipped["gradient_clip"] as? Double == 0)
    let extended = try train(
      "--resume", folder.path("a"), "--max-tokens", "600", "--threads", "1", "--json")
    #expect(try extended.json()["step"] as? Int == 5)
    #expect(try extended.json()["end"] as? String == "tokens")
  }

  @Test("prompts and completions are prepared, and a model goes on from another on the completions")
  func fineTuning() throws {
    let lines = (0..<60).map { "{\"prompt\": \"Where is cat \($0)?\", \"completion\": \" On the mat.\"}\n" }.joined()
    try folder.write(lines, "tasks.jsonl")
    let prepare = ["data", "prepare", folder.path("tasks.jsonl"), "--tokenizer", folder.path("tokenizer.json")]
    let tasks = folder.path("tasks")
    let prepared = try Command.run(
      prepare + [
        "--prompt-field", "prompt", "--completion-field", "completion", "--validation-fraction", "0.1", "--out", tasks,
      ])
    #expect(prepared.status == 0, "\(prepared.errorOutput)")
    let file = try settings(Self.small)
    #expect(try train("--config", file, "--data", data, "--out", folder.path("base")).status == 0)
    let tuned = try Command.run([
      "train", "transformer", "--data", tasks, "--init-from", folder.path("base/model"), "--out", folder.path("tuned"),
      "--steps", "2", "--batch-size", "2", "--sequence-length", "32", "--threads", "1",
    ])
    #expect(tuned.status == 0, "\(tuned.errorOutput)")

    let half = try Command.run(prepare + ["--prompt-field", "prompt", "--out", folder.path("x")])
    #expect(half.status == 64 && half.errorOutput.contains("go together"))
    expectFailure(
      try Command.run(
        prepare + ["--prompt-field", "question", "--completion-field", "completion", "--out", tasks + "2"]),
      saying: "tasks.jsonl:1:", "\"question\"")
  }
}
