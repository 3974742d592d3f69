import Foundation
import Testing

@Suite("calm convert, and training from a model") struct ConvertCommandTests {
  private let demo: TemporaryFolder
  private let folder: TemporaryFolder
  private var model: String { demo.path("demo/lm/model") }

  init() throws {
    demo = try QuickDemo.folder.get()
    folder = try TemporaryFolder()
  }

  private func convert(_ model: String, _ format: String, _ out: String) throws -> CommandResult {
    try Command.run(["convert", model, "--to", format, "--out", folder.path(out)])
  }

  private func evaluate(_ model: String) throws -> Data {
    let result = try Command.run([
      "eval", "lm", model, "--data", demo.path("demo/data"), "--num-sequences", "2", "--threads", "1", "--precision",
      "float32", "--json",
    ])
    #expect(result.status == 0, "\(result.errorOutput)")
    return result.output
  }

  @Test("A converted model has the same scores, with its tokenizer", arguments: ["official", "safetensors"])
  func sameScores(format: String) throws {
    let converted = try convert(model, format, "out")
    #expect(converted.status == 0, "\(converted.errorOutput)")
    #expect(try evaluate(folder.path("out")) == evaluate(model))
    let weights = format == "official" ? "pytorch_model.bin" : "model.safetensors"
    for file in [weights, "tokenizer.json", "autoencoder/\(weights)", "autoencoder/config.json"] {
      #expect(FileManager.default.fileExists(atPath: folder.path("out/\(file)")), "\(file)")
    }
    // The autoencoder alone, and an existing folder.
    #expect(try convert(demo.path("demo/autoencoder/model"), format, "autoencoder").status == 0)
    expectFailure(try convert(model, format, "out"), saying: "already exists")
  }

  private func train(_ kind: String, _ out: String, _ arguments: String...) throws -> CommandResult {
    try Command.run(
      [
        "train", kind, "--data", demo.path("demo/data"), "--out", folder.path(out), "--steps", "1", "--batch-size", "1",
        "--threads", "1", "--learning-rate", "1e-9", "--json",
      ] + arguments)
  }

  @Test(
    "Training starts with the weights of a model, in this package's format or the official one",
    arguments: ["", "official"])
  func initFrom(format: String) throws {
    let trained = try Command.run([
      "train", "lm", "--data", demo.path("demo/data"), "--autoencoder", demo.path("demo/autoencoder/model"), "--out",
      folder.path("own"), "--hidden-size", "64", "--layers", "1", "--steps", "40", "--batch-size", "4", "--threads",
      "1",
      "--aux-weight", "0",
    ])
    #expect(trained.status == 0, "\(trained.errorOutput)")
    let own = folder.path("own/model")
    let start = format.isEmpty ? own : folder.path("start")
    if !format.isEmpty { #expect(try convert(own, format, "start").status == 0) }
    // A step at a learning rate near 0 leaves the weights unchanged, so the loss is far from that of new weights.
    let begun = try train("lm", "run", "--init-from", start, "--aux-weight", "0")
    #expect(begun.status == 0, "\(begun.errorOutput)")
    let fresh = try train("lm", "fresh", "--autoencoder", start, "--aux-weight", "0")
    let (low, high) = (try begun.json()["loss"] as? Double ?? .nan, try fresh.json()["loss"] as? Double ?? .nan)
    #expect(low < high - 1, "\(low) and \(high)")
    let autoencoder = try train("autoencoder", "autoencoder", "--init-from", demo.path("demo/autoencoder/model"))
    #expect(try autoencoder.json()["loss"] as? Double ?? .nan < 8, "\(autoencoder.errorOutput)")
    // With the auxiliary loss, its layer is new, and the run can be resumed like any other.
    #expect(try train("lm", "auxiliary", "--init-from", start).status == 0)
    let resumed = try Command.run([
      "train", "lm", "--resume", folder.path("auxiliary"), "--steps", "2", "--threads", "1",
    ])
    #expect(resumed.status == 0, "\(resumed.errorOutput)")
  }

  @Test("Sizes that differ from those of the initial model are refused, and the error names the option")
  func otherSizes() throws {
    expectUsageError(
      try train("lm", "run", "--init-from", model, "--hidden-size", "512", "--layers", "9"), saying: "--hidden-size is",
      "not 512", "--layers is", "not 9")
    expectUsageError(
      try train("lm", "run", "--init-from", model, "--head", "flow"), saying: "--head is energy", "not flow")
    expectUsageError(
      try train("autoencoder", "run", "--init-from", model, "--chunk-size", "8"), saying: "--chunk-size is 4", "not 8")
    expectFailure(
      try train("lm", "run", "--init-from", demo.path("demo/autoencoder/model")), saying: "contains an autoencoder")
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }
}
