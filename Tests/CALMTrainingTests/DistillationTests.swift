import CALM
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite("Heads that sample tokens, and distillation", .serialized) struct DistillationTests {
  private let world: TinyWorld

  init() throws {
    Runtime.threads = 1
    world = try TinyWorld()
  }

  @Test(
    "A model whose head samples tokens trains without an autoencoder and resumes exactly",
    arguments: [HeadKind.posterior, .tokens])
  func resumes(head: HeadKind) throws {
    func run(_ name: String) throws -> TrainingRun { try world.tokenModel(name, world.settings(steps: 10), head: head) }
    let unbroken = try losses(of: try run("unbroken"))
    let before = try losses(of: try run("broken"), until: 4)
    let after = try losses(of: try TrainingRun(resuming: world.place("broken")))
    #expect(before + after == unbroken)
    #expect(unbroken[9] < unbroken[0])
    #expect(!FileManager.default.fileExists(atPath: world.place("broken/model/autoencoder").path))
  }

  @Test(
    "Distillation changes only the head, of a tokens head only its proposals, and resumes exactly; the loss falls",
    arguments: [HeadKind.posterior, .tokens])
  func distills(head: HeadKind) throws {
    _ = try losses(of: try world.tokenModel("teacher", world.settings(steps: 150), head: head))
    let teacher = world.place("teacher/model")
    func run(_ name: String) throws -> TrainingRun {
      try world.student(name, of: teacher, world.settings(steps: 60))
    }
    let unbroken = try losses(of: try run("unbroken"))
    let before = try losses(of: try run("broken"), until: 20)
    let after = try losses(of: try TrainingRun(resuming: world.place("broken")))
    #expect(before + after == unbroken)
    let (start, end) = (unbroken.prefix(10).reduce(0, +), unbroken.suffix(10).reduce(0, +))
    #expect(end < 0.9 * start)

    let (old, new) = (try CheckpointReader(teacher), try CheckpointReader(world.place("unbroken/model")))
    let trained = head == .tokens ? "tokens_head.proposals." : "posterior_head."
    #expect(new.names.contains { $0.hasPrefix(trained) })
    for name in new.names where !name.hasPrefix(trained) {
      #expect(try old.tensor(named: name).equals(new.tensor(named: name)).all(), "\(name) has changed")
    }
    let configurations = try ["teacher", "unbroken"].map {
      try ModelFolder(world.place("\($0)/model")).languageModelConfiguration()
    }
    #expect(configurations[1].isOneStep && !configurations[0].isOneStep)
    // Only a posterior head maps the same noise to the same tokens as its teacher.
    if head != .posterior { return }
    let models = [teacher, world.place("unbroken/model")].map { try? ModelFolder($0).loadLanguageModel() }
    let (first, student) = (try #require(models[0]), try #require(models[1]))
    // The copy with which distillation started takes one step of the teacher's network.
    let untrained = try world.student("untrained", of: teacher, world.settings(steps: 1)).task as? DistillationTask
    let hidden = Generator(seed: 1).normal([40, 32])
    func samples(_ model: ContinuousLanguageModel) throws -> Tensor {
      try withoutGradients { try model.sampleChunks(hidden, count: 20, generator: Generator(seed: 2)) }
    }
    let truth = try samples(first)
    func agreement(_ model: ContinuousLanguageModel) throws -> Double {
      try samples(model).equals(truth).to(.float32).mean().item()
    }
    #expect(try agreement(student) > agreement(try #require(untrained?.model)))
  }

  @Test("Distillation as the second phase of a run resumes exactly, and then the first phase is over")
  func secondPhase() throws {
    func run(_ name: String) throws -> TrainingRun {
      try world.tokenModel(name, world.settings(steps: 6), head: .posterior, distillationSteps: 8)
    }
    /// The losses of the second phase after the first, which takes no step if it has ended before.
    func phases(_ run: TrainingRun, firstSteps: Int, until last: Int = .max) throws -> [Double] {
      #expect(try losses(of: run).count == firstSteps)
      return try losses(of: try #require(try run.distillation()), until: last)
    }
    let unbroken = try phases(try run("whole"), firstSteps: 6)
    #expect(unbroken.count == 8)
    let before = try phases(try run("broken"), firstSteps: 6, until: 3)
    let after = try phases(try TrainingRun(resuming: world.place("broken")), firstSteps: 0)
    #expect(before + after == unbroken)
    #expect(try ModelFolder(world.place("broken/student/model")).languageModelConfiguration().isOneStep)

    #expect(throws: TrainingError.studentExists(world.place("broken/student").path)) {
      try TrainingRun(resuming: world.place("broken"), limits: ResumedLimits(steps: 9)).train()
    }
    let plain = try world.tokenModel("plain", world.settings(steps: 1), head: .posterior)
    _ = try losses(of: plain)
    #expect(try plain.distillation() == nil)
  }

  @Test("A teacher whose configuration describes a much larger model is refused before memory is allocated")
  func wrongConfiguration() throws {
    _ = try losses(of: try world.tokenModel("teacher", world.settings(steps: 1), head: .tokens))
    let teacher = world.place("teacher/model")
    let file = teacher.appendingPathComponent("config.json")
    var settings = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    settings["hidden_size"] = 1 << 16
    try JSONSerialization.data(withJSONObject: settings).write(to: file)
    let error = #expect(throws: ModelError.self) {
      try world.student("student", of: teacher, world.settings(steps: 1)).train()
    }
    #expect("\(try #require(error))".contains("config.json describes a model with"))
  }

  @Test("A tokens head with chunks of one token has nothing to distill")
  func oneToken() throws {
    func fault(chunkSize: Int) -> String? {
      DistillationSettings.fault(
        of: LanguageModelConfiguration(vocabularySize: 8, chunkSize: chunkSize, head: .tokens))
    }
    #expect(try #require(fault(chunkSize: 1)).contains("one token"))
    #expect(fault(chunkSize: 2) == nil)
  }

  @Test("A model whose head has no student cannot be distilled", arguments: [HeadKind.energy, .diffusion])
  func refused(head: HeadKind) throws {
    let model = world.place("model")
    let autoencoder = try world.autoencoder("autoencoder", world.settings(steps: 1))
    _ = try losses(of: autoencoder)
    _ = try losses(
      of: try world.languageModel("run", on: autoencoder.folder.modelURL, world.settings(steps: 1), head: head))
    try FileManager.default.copyItem(at: world.place("run/model"), to: model)
    let given = GivenSettings(
      arguments: ["--init-from", model.path, "--data", world.data], of: DistillationSettings.declarations,
      isResumed: false, otherOptions: [])
    let (_, faults) = DistillationSettings.resolve(given, over: try DistillationSettings.base(for: given))
    #expect(faults.count == 1 && faults[0].contains("'\(head.rawValue)'"), "\(faults)")
  }
}
