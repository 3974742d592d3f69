import CALM
import CALMExperiments
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite("Experiments", .serialized) struct ExperimentTests {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("calm-exp-\(UUID().uuidString)")

  private func plan(_ text: String) throws -> ExperimentPlan {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let file = folder.appendingPathComponent("plan.json")
    try Data(text.utf8).write(to: file)
    return try ExperimentPlan(contentsOf: file)
  }

  private static let small = """
    {"stories": {"bytes": 100000, "vocab_size": 300},
     "evaluation": {"sequence_length": 32, "num_sequences": 4, "brier_samples": 2},
     "speed": {"max_new_tokens": 8, "turns": 1},
     "autoencoders": [{"name": "ae", "chunk_size": [2, 4], "latent_size": 8, "hidden_size": 16, "steps": 4, "sequence_length": 32, "batch_size": 2}],
     "models": [
       {"name": "calm", "autoencoder": "ae", "head": ["energy", "flow"], "hidden_size": 32, "layers": 1, "steps": 8,
        "aux_warmup_steps": 3, "sequence_length": 32, "batch_size": 2},
       {"name": "student", "teacher": "calm-chunk_size-4-head-flow", "steps": 2, "sequence_length": 32, "batch_size": 2},
       {"name": "transformer", "hidden_size": 32, "layers": 1, "steps": 8, "sequence_length": 32, "batch_size": 2}]}
    """

  @Test("Each entry of a list is a separate run, and a model is trained on each autoencoder of a list")
  func grid() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    #expect(
      try plan(Self.small).runs.map(\.name) == [
        "ae-chunk_size-2", "ae-chunk_size-4", "calm-chunk_size-2-head-energy", "calm-chunk_size-4-head-energy",
        "calm-chunk_size-2-head-flow",
        "calm-chunk_size-4-head-flow", "student", "transformer",
      ])
  }

  @Test("A model whose head samples tokens needs no autoencoder, and one whose head samples latents needs one")
  func headsOfTokens() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    func models(_ head: String) -> String { #"{"stories": {}, "models": [{"name": "m", "steps": 5, \#(head)}]}"# }
    let runs = try plan(models(#""head": ["posterior", "tokens"], "chunk_size": 8"#)).runs
    #expect(runs.map(\.name) == ["m-head-posterior", "m-head-tokens"])
    #expect(runs.allSatisfy { $0.settings is LanguageModelSettings && $0.chunkSize == 8 && $0.origin == nil })
    let error = #expect(throws: ExperimentError.self) { try plan(models(#""head": "energy""#)) }
    #expect("\(error.map { "\($0)" } ?? "")".contains("autoencoder"))
  }

  @Test("Default settings apply to every entry without a teacher that does not set them")
  func defaults() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let runs = try plan(
      """
      {"stories": {}, "model_defaults": {"steps": 7, "batch_size": [1, 2]},
       "models": [{"name": "t"}, {"name": "own", "head": "tokens", "batch_size": 3},
                  {"name": "s", "teacher": "own", "steps": 5}]}
      """
    ).runs
    #expect(runs.map(\.name) == ["t-batch_size-1", "t-batch_size-2", "own", "s"])
    #expect(runs.map(\.settings.training.totalSteps) == [7, 7, 7, 5])
    #expect(runs.dropLast().map(\.settings.training.batchSize) == [1, 2, 3])
  }

  @Test(
    "An invalid experiment is an error that names the problem before anything runs",
    arguments: [
      ("{", "plan.json"), ("[]", "must be an object"), ("5", "must be an object"),
      (#"{"stories": {}, "stories": {}, "models": []}"#, "twice"), (#"{"stories": {}}"#, "nothing to train"),
      (#"{"stories": {}, "models": {"name": "t", "steps": 5}}"#, "'models' must be a list"),
      (#"{"stories": {}, "models": [5]}"#, "models[0]"), (#"{"stories": {}, "seed": -1, "models": []}"#, "seed"),
      (#"{"stories": {}, "seed": [], "models": []}"#, "seed"), (#"{"stories": {}, "seed": [1, "2"]}"#, "seed"),
      (#"{"stories": {}, "seed": [3, 3], "models": []}"#, "a number twice"),
      (#"{"stories": {}, "evaluation": {"brier_samples": 1}, "models": [{"name": "t", "steps": 5}]}"#, "brier_samples"),
      (#"{"stories": {}, "evaluation": {"brier_samples": [2, 4]}, "models": [{"name": "t", "steps": 5}]}"#, "no lists"),
      (#"{"stories": {}, "models": [{"name": "t", "steps": []}]}"#, "empty list"),
      (
        #"{"stories": {}, "evaluation": {"sequence_length": 16}, "autoencoders": [{"name": "ae", "steps": 5, "chunk_size": 16}], "models": [{"name": "c", "autoencoder": "ae", "steps": 5}]}"#,
        "two chunks"
      ),
      (
        #"{"stories": {}, "autoencoders": [{"name": "ae", "steps": 5}], "models": [{"name": "c", "autoencoder": "ae", "steps": 5, "aux_warmup_steps": 6}]}"#,
        "aux_warmup_steps"
      ),
      (
        #"{"stories": {}, "autoencoders": [{"name": "ae", "steps": 5}], "models": [{"name": "c", "autoencoder": "ae", "steps": 5, "aux_warmup_steps": 2, "aux_weight": 0}]}"#,
        "needs an 'aux_weight'"
      ),
      (#"{"stories": {}, "models": [{"name": "t", "steps": 5, "aux_warmup_steps": 2}]}"#, "aux_warmup_steps"),
      (#"{"stories": {}, "modles": []}"#, "modles"),
      (#"{"stories": {}, "model_defaults": [], "models": [{"name": "t", "steps": 5}]}"#, "model_defaults"),
      (#"{"stories": {}, "model_defaults": {"stepz": 5}, "models": [{"name": "t", "steps": 5}]}"#, "stepz"),
      (#"{"stories": {}, "speed": {"turns": 0}, "models": [{"name": "t", "steps": 5}]}"#, "turns"),
      (#"{"stories": {}, "speed": true, "models": [{"name": "t", "steps": 5}]}"#, "speed"),
      (#"{"stories": {}, "data": "x", "models": []}"#, "either 'stories'"),
      (#"{"stories": {"bites": 1}, "models": []}"#, "bites"),
      (#"{"stories": {}, "models": [{"name": "t", "steps": 5, "head": "energy"}]}"#, "head"),
      (#"{"stories": {}, "models": [{"name": "t", "steps": 0}]}"#, "steps"),
      (#"{"stories": {}, "models": [{"steps": 5}]}"#, "name"),
      (#"{"stories": {}, "models": [{"name": "t", "steps": 5, "hidden_size": 30, "heads": 4}]}"#, "heads"),
      (#"{"stories": {}, "models": [{"name": "t", "steps": 5}, {"name": "t", "steps": 6}]}"#, "named 't'"),
      (#"{"stories": {}, "models": [{"name": "../t", "steps": 5}]}"#, "is not a valid folder name"),
      (#"{"stories": {}, "models": [{"name": "c", "autoencoder": "ae", "steps": 5}]}"#, "not among 'autoencoders'"),
      (
        #"{"stories": {}, "autoencoders": [{"name": "ae", "steps": 5, "chunk_size": 3}]}"#, "not a multiple"
      ),
      (
        #"{"stories": {}, "autoencoders": [{"name": "ae", "steps": 5}], "models": [{"name": "c", "autoencoder": "ae", "head": "magic", "steps": 5}]}"#,
        "magic"
      ),
      (#"{"stories": {}, "models": [{"name": "s", "teacher": "t", "steps": 5}]}"#, "not the run of an earlier model"),
      (
        #"{"stories": {}, "models": [{"name": "t", "steps": 5}, {"name": "s", "teacher": "t", "steps": 5}]}"#,
        "not a continuous language model"
      ),
      (
        #"{"stories": {}, "autoencoders": [{"name": "ae", "steps": 5}], "models": [{"name": "t", "autoencoder": "ae", "head": "diffusion", "steps": 5}, {"name": "s", "teacher": "t", "steps": 5}]}"#,
        "only posterior, tokens and flow heads"
      ),
    ])
  func refused(text: String, wanted: String) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let error = #expect(throws: (any Error).self) { try plan(text) }
    let message = error.map { "\($0)" } ?? ""
    #expect(wanted.split(separator: "|").contains { message.contains($0) }, "\(message)")
    #expect(message.contains("plan.json"))
  }

  @Test("Every run is trained from each seed, and the table has the means over the seeds")
  func seeds() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    Runtime.threads = 1
    let plan = try plan(
      """
      {"stories": {"bytes": 100000, "vocab_size": 300}, "seed": [5, 6, 7],
       "evaluation": {"sequence_length": 32, "num_sequences": 4, "brier_samples": 2},
       "speed": {"max_new_tokens": 4, "turns": 1},
       "models": [
         {"name": "lm", "head": "tokens", "hidden_size": 32, "layers": 1, "steps": 2, "sequence_length": 32, "batch_size": 2},
         {"name": "student", "teacher": "lm", "steps": 1, "sequence_length": 32, "batch_size": 2}]}
      """)
    #expect(plan.runs.map(\.name) == [5, 6, 7].flatMap { ["lm-seed-\($0)", "student-seed-\($0)"] })
    #expect(plan.runs.map(\.origin) == [5, 6, 7].flatMap { [nil, "lm-seed-\($0)"] })
    #expect(plan.runs.map(\.settings.training.seed) == [5, 5, 6, 6, 7, 7])

    let out = folder.appendingPathComponent("out")
    let runner = ExperimentRunner(plan, in: out, precision: .float32, program: "tests")
    let results = try #require(try runner.run { try $1.train() })
    #expect(results.map { $0.speed != nil } == [true, true, false, false, false, false])
    let losses = results.compactMap(\.headLoss)
    #expect(Set(losses).count >= 3)
    let table = try String(contentsOf: out.appendingPathComponent("table.md"), encoding: .utf8).split(separator: "\n")
      .map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
    let (header, row) = (table[0], table[2])
    let (loss, deviation) = (
      try #require(header.firstIndex(of: "head loss")), try #require(header.firstIndex(of: "deviation over seeds"))
    )
    #expect(table.count == 4 && row[0] == "lm")
    let mean = try #require(Double(row[loss]))
    #expect(abs(mean - (losses[0] + losses[2] + losses[4]) / 3) < 1e-4)
    let scores = [0, 2, 4].compactMap { results[$0].brierLM?.score }
    let average = scores.reduce(0, +) / 3
    let variance = scores.reduce(0) { $0 + ($1 - average) * ($1 - average) } / 2
    #expect(abs(try #require(Double(row[deviation])) - variance.squareRoot()) < 0.01)
    let each = try String(contentsOf: out.appendingPathComponent("seeds.csv"), encoding: .utf8)
    #expect(each.split(separator: "\n").count == 7 && each.contains("student-seed-6"))
  }

  @Test("The correlation coefficient is Pearson's")
  func pearson() throws {
    #expect(correlation([(1, 8), (2, 6), (4, 2)]) == -1)
    #expect(abs(try #require(correlation([(1, 1), (2, 3), (3, 2)])) - 0.5) < 1e-12)
    #expect(correlation([(1, 1), (2, 1), (3, 1)]) == nil && correlation([(1, 1), (2, 3)]) == nil)
  }

  @Test("An experiment writes tables and plots, resumes after a stop, and does not repeat finished runs")
  func run() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    Runtime.threads = 1
    let out = folder.appendingPathComponent("out")
    let plan = try plan(Self.small)
    let runner = ExperimentRunner(plan, in: out, precision: .float32, program: "tests")
    // Stop in the third run, after its first checkpoint.
    var begun: [String] = []
    let stopped = try runner.run { name, run in
      begun.append(name)
      return try run.train { event in
        if case .step(let step) = event, begun.count == 3, step.step == 5 { return .stop }
        return .continue
      }
    }
    #expect(stopped == nil && begun.count == 3)

    var steps: [String: Int] = [:]
    let results = try #require(
      try runner.run { name, run in
        try run.train { event in
          if case .step = event { steps[name, default: 0] += 1 }
          return .continue
        }
      })
    #expect(
      steps == [
        "calm-chunk_size-2-head-energy": 3, "calm-chunk_size-4-head-energy": 8, "calm-chunk_size-2-head-flow": 8,
        "calm-chunk_size-4-head-flow": 8, "student": 2, "transformer": 8,
      ])
    #expect(results.map(\.name) == plan.runs.map(\.name))
    #expect(results[0].accuracy?.count == 6 && results[2].brierLM != nil && results[7].crossEntropy != nil)
    let cost = results[2].training
    #expect(cost.origin == results[0].training.flops && cost.auxiliaryWarmupSteps == 3)
    #expect(
      cost.flops == cost.origin + 3 * cost.auxiliaryWarmupStep + 5 * cost.step
        && cost.auxiliaryWarmupStep < cost.step)
    let (teacher, student) = (results[5].training, results[6].training)
    #expect(student.origin == teacher.flops && student.step > 0)
    #expect(results[6].inferenceFlopsPerToken < results[5].inferenceFlopsPerToken)
    #expect(results.prefix(2).allSatisfy { $0.speed == nil })
    #expect(results.dropFirst(2).allSatisfy { $0.speed.map { $0.one > 0 && $0.half > 0 } == true })
    #expect((results[2].trainingSeconds ?? 0) > (results[0].trainingSeconds ?? .infinity))
    for name in [
      "table.csv", "table.md", "brier-training.svg", "brier-inference.svg", "brier-speed.svg", "brier-speed-half.svg",
      "loss-curves.svg", "accuracy-noise.svg", "brier-cross-entropy.svg",
    ] {
      let text = try String(contentsOf: out.appendingPathComponent(name), encoding: .utf8)
      #expect(text.contains("transformer") || name == "accuracy-noise.svg")
      if name.hasSuffix("svg") { #expect(XMLParser(data: Data(text.utf8)).parse() && !text.contains("nan")) }
    }
    let again = try runner.run { name, _ in
      Issue.record("\(name) was trained again")
      return .stopped
    }
    #expect(again?.map(\.speed) == results.map(\.speed))
  }
}
