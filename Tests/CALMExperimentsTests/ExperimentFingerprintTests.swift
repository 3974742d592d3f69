import CALM
import CALMExperiments
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite("Experiments with a changed file", .serialized) struct ExperimentFingerprintTests {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("calm-exp-\(UUID().uuidString)")

  init() {
    Runtime.threads = 1
  }

  private static let small = """
    {"stories": {"bytes": 100000, "vocab_size": 300},
     "evaluation": {"sequence_length": 32, "num_sequences": 4, "brier_samples": 2},
     "autoencoders": [{"name": "ae", "chunk_size": 4, "latent_size": 8, "hidden_size": 16, "steps": 4, "sequence_length": 32, "batch_size": 2}],
     "models": [{"name": "calm", "autoencoder": "ae", "hidden_size": 32, "layers": 1, "steps": 3, "sequence_length": 32, "batch_size": 2}]}
    """

  private func change(_ old: String, to new: String) -> String {
    Self.small.replacingOccurrences(of: old, with: new)
  }

  /// Runs a plan and appends the names of the runs that it trains to `trained`.
  private func run(
    _ text: String, precision: DType = .float32, trained: inout [String]
  ) throws -> [ExperimentResult] {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let file = folder.appendingPathComponent("plan.json")
    try Data(text.utf8).write(to: file)
    let runner = ExperimentRunner(
      try ExperimentPlan(contentsOf: file), in: folder.appendingPathComponent("out"), precision: precision,
      program: "tests")
    return try #require(
      try runner.run { name, run in
        trained.append(name)
        return try run.train()
      })
  }

  private func place(_ run: String) -> URL { folder.appendingPathComponent("out/runs/\(run)") }

  /// The run and the setting in the runner's error, as `run: setting`; nil without an error.
  private func refusal(of text: String, precision: DType = .float32) throws -> String? {
    var trained: [String] = []
    do {
      _ = try run(text, precision: precision, trained: &trained)
    } catch ExperimentError.otherSettings(let run, let name, _, _) {
      #expect(trained.isEmpty)
      return "\(URL(fileURLWithPath: run).lastPathComponent): \(name)"
    }
    return nil
  }

  @Test("A change of 'evaluation' evaluates every trained model again, without training")
  func evaluation() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    var trained: [String] = []
    let first = try run(Self.small, trained: &trained)
    #expect(trained == ["ae", "calm"])
    for (old, new) in [
      ("\"num_sequences\": 4", "\"num_sequences\": 3"), ("\"brier_samples\": 2", "\"brier_samples\": 3"),
    ] {
      let again = try run(change(old, to: new), trained: &trained)
      #expect(again[1].brierLM != first[1].brierLM)
    }
    #expect(try run(Self.small, trained: &trained)[1].brierLM == first[1].brierLM)
    #expect(trained == ["ae", "calm"])
  }

  @Test("A change of the text or of a training setting is an error with the names of the run and the setting")
  func training() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    var trained: [String] = []
    _ = try run(Self.small, trained: &trained)
    for (old, new, run, name) in [
      ("\"bytes\": 100000", "\"bytes\": 110000", "ae", "stories.bytes"),
      ("\"vocab_size\": 300", "\"vocab_size\": 301", "ae", "stories.vocab_size"),
      ("\"steps\": 4", "\"steps\": 5", "ae", "settings.steps"),
      ("\"latent_size\": 8", "\"latent_size\": 9", "ae", "settings.latent_size"),
      ("\"layers\": 1", "\"layers\": 2", "calm", "settings.layers"),
      ("{\"stories\"", "{\"seed\": 2, \"stories\"", "ae", "settings.seed"),
    ] {
      #expect(try refusal(of: change(old, to: new)) == "\(run): \(name)")
    }
    #expect(try refusal(of: Self.small, precision: .bfloat16) == "ae: settings.precision")

    // The language model was trained on the previous autoencoder.
    try FileManager.default.removeItem(at: place("ae"))
    #expect(try refusal(of: change("\"steps\": 4", to: "\"steps\": 5")) == "calm: autoencoder.settings.steps")
  }

  @Test("A trained run without a fingerprint is an error")
  func unknown() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    var trained: [String] = []
    _ = try run(Self.small, trained: &trained)
    try FileManager.default.removeItem(at: place("ae").appendingPathComponent("fingerprint.json"))
    #expect(throws: ExperimentError.unknownSettings(run: place("ae").path)) { try run(Self.small, trained: &trained) }
  }

  @Test("A run whose data set has been prepared again with different content is an error")
  func data() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let world = try TinyWorld()
    let text = """
      {"data": "\(world.data)", "evaluation": {"sequence_length": 32, "num_sequences": 4, "brier_samples": 2},
       "models": [{"name": "t", "hidden_size": 32, "layers": 1, "steps": 2, "sequence_length": 32, "batch_size": 2}]}
      """
    var trained: [String] = []
    _ = try run(text, trained: &trained)
    _ = try run(text, trained: &trained)
    #expect(trained == ["t"])
    try reverseDocuments(in: world.data)
    #expect(try refusal(of: text) == "t: data")
  }
}
