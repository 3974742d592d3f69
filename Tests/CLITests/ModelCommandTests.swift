import Foundation
import Testing

/// A model trained for a few seconds, created once by the program.
enum QuickDemo {
  static let folder: Result<TemporaryFolder, any Error> = Result {
    let folder = try TemporaryFolder()
    let result = try Command.run([
      "demo", "--quick", "--head", "energy", "--threads", "1", "--json", "--out", folder.path("demo"),
    ])
    try #require(result.status == 0, "\(result.errorOutput)")
    try folder.write(result.output, "results.json")
    return folder
  }

  /// A copy of a part of the demo, to be damaged.
  static func copy(_ part: String, to other: TemporaryFolder) throws -> URL {
    let target = other.url.appendingPathComponent("copy")
    try FileManager.default.copyItem(at: try folder.get().url.appendingPathComponent("demo/\(part)"), to: target)
    return target
  }
}

@Suite("Commands for trained models") struct ModelCommandTests {
  private let demo: TemporaryFolder
  private var model: String { demo.path("demo/lm/model") }
  private var data: String { demo.path("demo/data") }

  init() throws { demo = try QuickDemo.folder.get() }

  @Test("The demo prints its stages, metrics and stories as JSON")
  func demoFigures() throws {
    let results = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: demo.url.appendingPathComponent("results.json")))
        as? [String: Any])
    #expect((results["stages"] as? [Any])?.count == 7)
    #expect((results["samples"] as? [Any])?.count == 8)
    #expect(results["accepted_sentences"] is Double)
  }

  @Test("calm eval prints BrierLM with its standard error, and the same values for the same seed")
  func evaluate() throws {
    let arguments = ["eval", "lm", model, "--data", data, "--threads", "1", "--json"]
    let one = try Command.run(arguments)
    #expect(one.status == 0, "\(one.errorOutput)")
    let score = try #require(try one.json()["brier_lm"] as? [String: Any])
    #expect(score["score"] is Double && score["score_standard_error"] is Double)
    #expect((score["brier"] as? [Double])?.count == 4)
    #expect(try Command.run(arguments).output == one.output)
  }

  @Test("eval adds the likelihood and the diagnostics on request")
  func evaluateMore() throws {
    let arguments = ["eval", "lm", model, "--data", data, "--num-sequences", "2", "--threads", "1"]
    let plain = try Command.run(arguments + ["--json"]).json()
    #expect(plain["likelihood"] == nil && plain["diagnostics"] == nil)
    let results = try Command.run(arguments + ["--json", "--likelihood-samples", "2", "--diagnostics"]).json()
    let likelihood = try #require(results["likelihood"] as? [String: Any])
    #expect(likelihood["method"] as? String == "mixture_bound" && likelihood["bits_per_character"] is Double)
    let diagnostics = try #require(results["diagnostics"] as? [String: Any])
    for name in ["decoder_confidence", "brier_gap", "energy_gap"] { #expect(diagnostics[name] is Double, "\(name)") }
    #expect(try Command.run(arguments + ["--likelihood-samples", "2"]).text.contains("mixture bound, 2 samples"))
  }

  @Test("The autoencoder loses accuracy with noise, and is also found inside the language model's folder")
  func evaluateAutoencoder() throws {
    for folder in [demo.path("demo/autoencoder/model"), model] {
      let result = try Command.run([
        "eval", "autoencoder", folder, "--data", data, "--noise-levels", "0,2", "--threads", "1", "--json",
      ])
      let levels = try #require(try result.json()["accuracy"] as? [[String: Double]])
      #expect((levels[0]["accuracy"] ?? 0) > (levels[1]["accuracy"] ?? 1))
    }
  }

  @Test("Text files can be evaluated directly, and with invalid text if the options allow it")
  func evaluateText() throws {
    try demo.write("Once there was a girl.\n\nOnce there was a boy named Tom.\n", "held.txt")
    let result = try Command.run([
      "eval", "lm", model, "--text", demo.path("held.txt"), "--sequence-length", "64", "--threads", "1", "--json",
    ])
    #expect(result.status == 0, "\(result.errorOutput)")
    try demo.write(Data("Once there was a girl".utf8) + Data([0xFF]) + Data(" named Ann.\n".utf8), "latin.txt")
    try demo.write("{\"text\": \"Once there was a girl.\"}\n{\"text\": \n", "cut.jsonl")
    for (file, flag, remark) in [
      ("latin.txt", "--lossy", "1 document repaired"),
      ("cut.jsonl", "--skip-malformed", "1 malformed line skipped"),
    ] {
      let arguments = [
        "eval", "autoencoder", demo.path("demo/autoencoder/model"), "--text", demo.path(file), "--noise-levels", "0",
        "--threads", "1",
      ]
      expectFailure(try Command.run(arguments), saying: file, flag)
      let passed = try Command.run(arguments + [flag])
      #expect(passed.status == 0 && passed.errorOutput.contains(remark), "\(passed.errorOutput)")
    }
  }

  @Test(
    "calm generate is reproducible for a seed, at any temperature and with any prompt", arguments: ["1", "1/2", "0.4"])
  func generate(temperature: String) throws {
    let arguments =
      [
        "generate", model, "--prompt", "Once there was", "--temperature", temperature, "--max-new-tokens", "20",
        "--threads", "1", "--seed", "3",
      ] + (temperature == "1" ? [] : ["--candidates", "30"])
    let one = try Command.run(arguments)
    #expect(one.status == 0, "\(one.errorOutput)")
    #expect(one.text.hasPrefix("Once there was"))
    #expect(try Command.run(arguments).output == one.output)
  }

  @Test("A Transformer can be trained, evaluated and sampled, and is distinguished from a continuous model")
  func transformer() throws {
    let run = demo.path("transformer")
    let trained = try Command.run([
      "train", "transformer", "--data", data, "--out", run, "--hidden-size", "32", "--layers", "1", "--steps", "3",
      "--batch-size", "2", "--sequence-length", "32", "--threads", "1", "--json",
    ])
    #expect(trained.status == 0, "\(trained.errorOutput)")
    let model = run + "/model"
    let resumed = try Command.run(["train", "transformer", "--resume", run, "--steps", "4", "--threads", "1", "--json"])
    #expect(try resumed.json()["step"] as? Int == 4)
    let evaluated = try Command.run(["eval", "transformer", model, "--data", data, "--threads", "1", "--json"])
    let results = try evaluated.json()
    let crossEntropy = try #require(results["cross_entropy"] as? Double)
    #expect(abs(try #require(results["perplexity"] as? Double) - exp(crossEntropy)) < 1e-6 * exp(crossEntropy))
    #expect((results["brier_lm"] as? [String: Any])?["score_standard_error"] is Double)
    #expect((results["likelihood"] as? [String: Any])?["bits_per_byte"] is Double)
    let text = try Command.run([
      "generate", model, "--prompt", "Once", "--temperature", "0.7", "--top-k", "50", "--top-p", "0.9",
      "--max-new-tokens",
      "10", "--threads", "1",
    ])
    #expect(text.status == 0 && text.text.hasPrefix("Once"), "\(text.errorOutput)")
    let hot = try Command.run(["generate", model, "--temperature", "1.5", "--max-new-tokens", "10", "--threads", "1"])
    #expect(hot.status == 0, "\(hot.errorOutput)")
    #expect(try Command.run(["info", model]).text.contains("autoregressive Transformer"))
    expectFailure(
      try Command.run(["eval", "lm", model, "--data", data]), saying: "contains an autoregressive Transformer")
    expectFailure(try Command.run(["generate", self.model, "--top-k", "5"]), saying: "--top-k", "continuous")
    expectFailure(try Command.run(["generate", self.model, "--top-p", "0.5"]), saying: "--top-p", "continuous")
    expectFailure(
      try Command.run(["generate", self.model, "--sampler", "logits"]), saying: "'logits'", "'batch', 'exact'")
    for option in [["--sampler", "exact"], ["--candidates", "20"], ["--prompt", "a", "--max-samples", "20"]] {
      expectFailure(try Command.run(["generate", model] + option), saying: option[option.count - 2], "autoregressive")
    }
    expectFailure(
      try Command.run(["convert", model, "--to", "official", "--out", demo.path("y")]), saying: "nothing to convert")
    let more = ["--data", data, "--init-from", model, "--batch-size", "2", "--sequence-length", "32", "--steps", "1"]
    let begun = try Command.run(["train", "transformer", "--out", run + "-2", "--threads", "1", "--json"] + more)
    #expect(begun.status == 0, "\(begun.errorOutput)")
    expectUsageError(
      try Command.run(["train", "transformer", "--out", demo.path("y"), "--layers", "9"] + more),
      saying: "--layers is 1")
    expectFailure(
      try Command.run(["train", "lm", "--out", demo.path("y")] + more), saying: "contains an autoregressive Transformer"
    )
  }

  @Test("A model with a tokens head is sampled by logits, unless another sampler is given")
  func tokensHead() throws {
    let model = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("models/childrens-books").path
    func text(_ options: String...) throws -> String {
      let few = ["generate", model, "--prompt", "Alice", "--max-new-tokens", "16", "--threads", "1"]
      let result = try Command.run(few + options)
      #expect(result.status == 0, "\(result.errorOutput)")
      return result.text
    }
    let standard = try text()
    #expect(try text("--sampler", "logits") == standard)
    #expect(try text("--sampler", "batch") != standard)
    // The likeliest tokens, whatever the seed is.
    #expect(try text("--top-k", "1", "--seed", "1") == text("--top-k", "1", "--seed", "2"))
    #expect(try text("--temperature", "1.5", "--top-p", "0.9").hasPrefix("Alice"))
    expectFailure(
      try Command.run(["generate", model, "--candidates", "9"]),
      saying: "sampled by logits", "--candidates has no effect")
    expectFailure(try Command.run(["generate", model, "--sampler", "batch", "--top-p", "0.5"]), saying: "top-p")
    let hot = try Command.run(["generate", model, "--sampler", "batch", "--temperature", "1.5"])
    #expect(hot.status == 64 && hot.errorOutput.contains("1.5"), "\(hot.errorOutput)")
  }

  @Test(
    "Models with chunks of fewer than four tokens can be evaluated, with any head and input",
    arguments: [("1", "flow", "tokens"), ("2", "energy", "both"), ("3", "diffusion", "latents")])
  func smallChunks(chunk: String, head: String, input: String) throws {
    let (autoencoder, run) = (demo.path("autoencoder-\(chunk)"), demo.path("calm-\(chunk)"))
    let few = ["--steps", "2", "--batch-size", "2", "--sequence-length", "48", "--threads", "1", "--data", data]
    let first = try Command.run(
      [
        "train", "autoencoder", "--out", autoencoder, "--chunk-size", chunk, "--hidden-size", "16", "--latent-size",
        "4",
      ] + few)
    #expect(first.status == 0, "\(first.errorOutput)")
    let second = try Command.run(
      [
        "train", "lm", "--out", run, "--autoencoder", autoencoder + "/model", "--head", head, "--input", input,
        "--hidden-size", "32", "--layers", "1", "--head-blocks", "1", "--energy-samples", "2",
      ] + few)
    #expect(second.status == 0, "\(second.errorOutput)")
    let evaluated = try Command.run([
      "eval", "lm", run + "/model", "--data", data, "--sequence-length", "48", "--num-sequences", "3", "--threads", "1",
      "--json",
    ])
    #expect(((try evaluated.json()["brier_lm"] as? [String: Any])?["positions"] as? Int ?? 0) > 10)
    let text = try Command.run([
      "generate", run + "/model", "--max-new-tokens", "6", "--candidates", "4", "--threads", "1", "--json",
    ])
    #expect(text.status == 0, "\(text.errorOutput)")
  }

  @Test("An existing run is not overwritten, and a missing one cannot be resumed")
  func runs() throws {
    expectFailure(
      try Command.run(["train", "autoencoder", "--data", data, "--out", demo.path("demo/autoencoder")]),
      saying: "already contains a training run", "resume that run")
    expectFailure(try Command.run(["train", "lm", "--resume", demo.path("no")]), saying: "is not a training run")
    expectFailure(try Command.run(["demo", "--out", demo.path("demo")]), saying: "already exists")
  }

  @Test("A preset sets the paper's sizes, except for options that are given")
  func preset() throws {
    let result = try Command.run([
      "train", "lm", "--data", data, "--out", demo.path("x"), "--autoencoder", demo.path("demo/autoencoder/model"),
      "--preset", "calm-m", "--layers", "3", "--print-settings",
    ])
    #expect(result.status == 0, "\(result.errorOutput)")
    for line in ["\"hidden_size\": 1024", "\"head_blocks\": 4", "\"layers\": 3"] {
      #expect(result.text.contains(line), "\(result.text)")
    }
  }

  @Test("Temperatures and other numbers out of range are usage errors")
  func numbers() throws {
    for arguments in [
      ["generate", model, "--temperature", "0"], ["generate", model, "--temperature", "1.5"],
      ["generate", model, "--temperature", "warm"], ["eval", "lm", model, "--data", data, "--brier-samples", "1"],
      ["eval", "lm", model, "--data", data, "--sequence-length", "10"],
      ["eval", "lm", model, "--data", data, "--likelihood-samples", "0"],
      [
        "train", "lm", "--data", data, "--out", demo.path("x"), "--autoencoder", model, "--hidden-size", "100",
        "--heads",
        "3",
      ],
      ["train", "autoencoder", "--data", data, "--out", demo.path("x"), "--layers", "3"],
      ["train", "lm", "--data", data, "--out", demo.path("x"), "--autoencoder", model, "--head", "magic"],
      ["train", "transformer", "--data", data, "--out", demo.path("x"), "--preset", "calm-m"],
      [
        "train", "lm", "--data", data, "--out", demo.path("x"), "--autoencoder", model, "--preset", "transformer-s",
      ],
      ["train", "transformer", "--data", data, "--out", demo.path("x"), "--hidden-size", "100", "--heads", "3"],
      ["eval", "transformer", model, "--data", data, "--brier-samples", "1"], ["generate", model, "--top-p", "1.5"],
    ] {
      let result = try Command.run(arguments)
      #expect(result.status == 64, "\(arguments) \(result.errorOutput)")
      #expect(result.output.isEmpty)
    }
    #expect(!FileManager.default.fileExists(atPath: demo.path("x")))
  }
}

@Suite("Damaged model folders") struct DamagedModelTests {
  private let folder: TemporaryFolder
  private let demo: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    demo = try QuickDemo.folder.get()
  }

  private func generate(_ model: URL) throws -> CommandResult {
    try Command.run(["generate", model.path, "--max-new-tokens", "4", "--threads", "1"])
  }

  @Test(
    "A missing file is an error that names it",
    arguments: ["config.json", "model.safetensors", "tokenizer.json", "autoencoder/config.json"])
  func missing(file: String) throws {
    let model = try QuickDemo.copy("lm/model", to: folder)
    try FileManager.default.removeItem(at: model.appendingPathComponent(file))
    expectFailure(try generate(model), saying: "copy")
  }

  @Test("Truncated weights are an error that names the file")
  func truncated() throws {
    let model = try QuickDemo.copy("lm/model", to: folder)
    let file = model.appendingPathComponent("model.safetensors")
    try Data(contentsOf: file).dropLast(1000).write(to: file)
    expectFailure(try generate(model), saying: "model.safetensors")
  }

  @Test("NaN weights end generation with an error, with or without printed text")
  func notFinite() throws {
    let model = try QuickDemo.copy("lm/model", to: folder)
    let file = model.appendingPathComponent("model.safetensors")
    var content = try Data(contentsOf: file)
    // A float32 with all bits set is NaN.
    let values = content.count / 2
    content.replaceSubrange(values..., with: repeatElement(0xFF, count: content.count - values))
    try content.write(to: file)
    let arguments = ["generate", model.path, "--max-new-tokens", "8", "--threads", "1"]
    expectFailure(try Command.run(arguments + ["--json"]), saying: "not finite", "float32")
    let printed = try Command.run(arguments)
    #expect(printed.status == 1 && printed.errorOutput.contains("not finite"), "\(printed.errorOutput)")
  }

  @Test("Weights whose shapes differ from the configuration are an error")
  func otherShapes() throws {
    let model = try QuickDemo.copy("lm/model", to: folder)
    let file = model.appendingPathComponent("config.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    let changed = text.replacing(#/"num_hidden_layers" : \d+/#, with: "\"num_hidden_layers\" : 2")
      .replacing(#/"noise_size" : \d+/#, with: "\"noise_size\" : 32")
    #expect(changed != text)
    try Data(changed.utf8).write(to: file)
    expectFailure(try generate(model), saying: "mlp_generator.noise_embd.weight")
  }

  @Test("An autoencoder with a different chunk size is an error")
  func otherChunkSize() throws {
    let other = folder.path("ae2")
    let trained = try Command.run([
      "train", "autoencoder", "--data", demo.path("demo/data"), "--out", other, "--chunk-size", "2", "--latent-size",
      "32",
      "--hidden-size", "32", "--steps", "1", "--batch-size", "1", "--threads", "1",
    ])
    #expect(trained.status == 0, "\(trained.errorOutput)")
    let result = try Command.run([
      "generate", demo.path("demo/lm/model"), "--autoencoder", other + "/model", "--threads", "1",
    ])
    expectFailure(result, saying: "chunk size 4", "2")
  }

  @Test("Data from a different tokenizer is an error")
  func otherTokenizer() throws {
    let result = try Command.run([
      "eval", "lm", demo.path("demo/lm/model"), "--data", try folder.prepareData(), "--threads", "1",
    ])
    expectFailure(result, saying: "differs from that of")
  }

  @Test("A disk that fills up while a checkpoint is written leaves the previous checkpoint, from which the run resumes")
  func fullDisk() throws {
    let run = try QuickDemo.copy("autoencoder", to: folder)
    let step = try String(contentsOf: run.appendingPathComponent("latest"), encoding: .utf8)
    // Files may grow to half a megabyte, and the weights are larger. The limit of one process simulates a full disk.
    let failed = try Command.shell(
      "ulimit -f 1000; exec \"$CALM\" train autoencoder --resume \"$DIR/copy\" --steps 151 --threads 1", in: folder.url)
    #expect(failed.status == 1, "\(failed.errorOutput)")
    #expect(failed.errorOutput.contains("Error: cannot write"), "\(failed.errorOutput)")
    #expect(try String(contentsOf: run.appendingPathComponent("latest"), encoding: .utf8) == step)
    let names = try FileManager.default.contentsOfDirectory(atPath: run.appendingPathComponent("checkpoints").path)
    #expect(!names.contains { $0.hasPrefix(".") })
    let resumed = try Command.run([
      "train", "autoencoder", "--resume", run.path, "--steps", "151", "--threads", "1",
    ])
    #expect(resumed.status == 0, "\(resumed.errorOutput)")
  }
}
