import CALM
import CALMCorpus
import CALMTraining
import Foundation
import TestSupport
import Testing
import Torch
import TrainingTestSupport

/// Runs `body` on as many threads as there shall be processes that train together, and gives the results by rank.
private func inProcesses<Result: Sendable>(
  _ count: Int, sharded: Bool = false, _ body: @escaping @Sendable (MultiProcess) throws -> Result
) throws -> [Result] {
  try inGroup(of: count, timeout: .seconds(60)) { try body(MultiProcess($0, shardsOptimizer: sharded)) }
}

private enum Job: String, CaseIterable {
  case autoencoder, energy, diffusion, transformer
}

@Suite(.serialized) struct ProcessTests {
  private let world: TinyWorld
  private let autoencoder: URL

  init() throws {
    Runtime.threads = 1
    world = try TinyWorld()
    let run = try world.autoencoder("autoencoder", world.settings(steps: 3))
    _ = try losses(of: run)
    autoencoder = run.folder.modelURL
  }

  private func settings(steps: Int = 6) -> TrainingSettings {
    var settings = world.settings(steps: steps)
    settings.evaluationInterval = steps
    settings.evaluationBlocks = 3
    return settings
  }

  private func run(
    _ job: Job, _ name: String, _ settings: TrainingSettings, group: any DataParallelGroup = SingleProcess()
  ) throws -> TrainingRun {
    switch job {
    case .autoencoder: try world.autoencoder(name, settings, group: group)
    case .energy: try world.languageModel(name, on: autoencoder, settings, auxiliaryWarmupSteps: 2, group: group)
    case .diffusion:
      try world.languageModel(name, on: autoencoder, settings, head: .diffusion, group: group)
    case .transformer: try world.transformer(name, settings, group: group)
    }
  }

  /// The losses of all steps, and the figures of the evaluation at the end.
  private struct Course: Equatable, Sendable {
    var losses: [Double] = []
    var evaluation: [String: Double] = [:]
  }

  private static func course(of run: TrainingRun, until last: Int = .max) throws -> Course {
    var course = Course()
    try run.trainer.run { event in
      switch event {
      case .step(let step):
        course.losses.append(step.loss)
        return step.step >= last ? .stop : .continue
      case .evaluation(_, let figures): course.evaluation = figures
      default: break
      }
      return .continue
    }
    return course
  }

  /// Expects losses that differ by the order of sums alone; the longest are over the 400 entries of the vocabulary.
  private func expectClose(_ one: [Double], _ other: [Double], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(one.count == other.count, sourceLocation: sourceLocation)
    let tolerance = roundingBound(.float32, terms: 400)
    for (a, b) in zip(one, other) {
      #expect(abs(a - b) <= tolerance * max(1, abs(a)), "\(a) and \(b)", sourceLocation: sourceLocation)
    }
  }

  @Test("all processes begin with the weights of the first")
  func beginsWithSameWeights() throws {
    let settings = settings()
    let place = world.place("run")
    let weights = try inProcesses(2) { group in
      let data = try TrainingData(path: world.data)
      let configuration = AutoregressiveConfiguration(
        vocabularySize: world.tokenizer.vocabularySize,
        transformer: TransformerShape(hiddenSize: 32, intermediateSize: 64, layers: 1, attentionHeads: 2),
        tiesEmbeddings: false, special: data.specialWithoutStandIn)
      let model = AutoregressiveModel(configuration, generator: Generator(seed: UInt64(group.rank)))
      let blocks = try data.blocks(.train, chunkSize: 1, sequenceChunks: settings.sequenceLength / 4, remainder: .dropped)
      let folder = group.rank == 0 ? try RunFolder(creating: place) : RunFolder(at: place)
      let corpus = WeightedSequences(try #require(blocks))
      let task = AutoregressiveTask(model, validation: nil, tokenizer: data.tokenizerFile)
      _ = try Trainer(task, on: [corpus], settings: settings, folder: folder, group: group)
      return model.namedParameters().map { $0.tensor.elements(as: Float.self) }
    }
    #expect(weights[0] == weights[1])
    #expect(weights[0].joined().contains { $0 != 0 })
  }

  /// What both of two processes say where the second is about to train something else.
  private func refusal(_ begin: @escaping @Sendable (MultiProcess) throws -> Void) throws -> TrainingError? {
    let errors = try inProcesses(2) { group -> TrainingError? in
      do {
        try begin(group)
        return nil
      } catch {
        return error as? TrainingError
      }
    }
    #expect(errors[0] == errors[1])
    return errors[0]
  }

  @Test("a process with other settings, another autoencoder or another checkpoint than the first ends all by name")
  func refusesDifferences() throws {
    let shared = settings(steps: 4)
    let ofSettings = try refusal { group in
      var settings = shared
      settings.gradientClip += Double(group.rank)
      _ = try run(.transformer, "run", settings, group: group)
    }
    #expect(ofSettings == TrainingError.processesDiffer(["settings"]))
    #expect(!FileManager.default.fileExists(atPath: world.place("run/run.json").path))

    var reseeded = world.settings(steps: 1)
    reseeded.seed = 2
    let second = try world.autoencoder("second", reseeded)
    _ = try losses(of: second)
    let other = second.folder.modelURL
    let ofAutoencoder = try refusal { group in
      let place = group.rank == 0 ? autoencoder : other
      _ = try world.languageModel("run", on: place, shared, group: group)
    }
    #expect(ofAutoencoder == TrainingError.processesDiffer(["weights of the autoencoder"]))

    var kept = shared
    kept.checkpointInterval = 2
    _ = try Self.course(of: try run(.transformer, "kept", kept))
    let ofCheckpoint = try refusal { group in
      let place = group.rank == 0 ? "kept" : "kept/checkpoints/step-000002"
      _ = try TrainingRun(resuming: world.place(place), group: group)
    }
    #expect(ofCheckpoint == TrainingError.processesDiffer(["step", "place in the data"]))
  }

  @Test(
    "several processes have the losses of one with the whole batch, and evaluate their model as one process does",
    arguments: Job.allCases, [(2, false), (2, true), (4, true)])
  private func equalsOneProcess(job: Job, processes: (count: Int, sharded: Bool)) throws {
    let alone = try Self.course(of: try run(job, "alone", settings()))
    let settings = settings()
    let together = try inProcesses(processes.count, sharded: processes.sharded) { group in
      try Self.course(of: try run(job, "together", settings, group: group))
    }
    expectClose(alone.losses, together[0].losses)
    for course in together { #expect(course.losses == together[0].losses) }
    // The weights of the two runs differ by rounding, which may turn a token over: so the evaluation by several processes
    // is compared with one of the same weights. Each block is computed alone in both, and only the sums are shared.
    let evaluation = try TrainingRun(resuming: world.place("together")).trainer.task.evaluate(
      blocks: settings.evaluationBlocks, seed: settings.seed, share: .whole)
    #expect(!evaluation.isEmpty && Set(evaluation.keys) == Set(alone.evaluation.keys))
    for course in together {
      #expect(Set(course.evaluation.keys) == (course.evaluation.isEmpty ? [] : Set(evaluation.keys)))
      for (name, value) in course.evaluation {
        let expected = try #require(evaluation[name])
        #expect(abs(value - expected) <= 1e-12 * max(1, abs(expected)), "\(name): \(value), expected \(expected)")
      }
    }
    #expect(!together[0].evaluation.isEmpty)
    let (one, two) = (
      try CheckpointReader(world.place("alone/model")), try CheckpointReader(world.place("together/model"))
    )
    #expect(one.names == two.names)
    for name in one.names {
      // AdamW takes a whole step where a gradient is nothing but rounding: single numbers may differ, the whole not.
      let (a, b) = (
        try one.tensor(named: name).elements(as: Double.self), try two.tensor(named: name).elements(as: Double.self)
      )
      let difference = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
      let size = a.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(difference <= 1e-3 * max(size, 1), "\(name): \(difference) of \(size)")
    }
  }

  /// The score of a model this small is 0, so that the figure `brier_lm` says little.
  @Test("several processes sum the Brier scores of one process, none of which is 0", arguments: [2, 3])
  func brierScores(count: Int) throws {
    let run = try world.languageModel("run", on: autoencoder, settings())
    _ = try Self.course(of: run)
    let (model, data) = (run.folder.modelURL, world.data)
    @Sendable func scores(_ share: EvaluationShard) throws -> [Double] {
      let blocks = try #require(
        try TrainingData(path: data).blocks(.validation, chunkSize: 4, sequenceChunks: 16, remainder: .padded))
      let model = try ModelFolder(model).loadLanguageModel()
      return try model.evaluate(on: blocks, blocks: 4, samples: 4, seed: 1, share: share).brierLM.brier
    }
    let alone = try scores(.whole)
    #expect(alone.count == 4 && alone.allSatisfy { $0 != 0 }, "\(alone)")
    let shared = try inProcesses(count) { group in
      try scores(EvaluationShard(rank: group.rank, count: group.count) { try group.sum($0) })
    }
    for together in shared {
      #expect(together.count == 4)
      for (one, other) in zip(alone, together) { #expect(abs(one - other) <= 1e-12 * abs(one), "\(one), \(other)") }
    }
  }

  @Test("a batch in parts has the noise, the losses and the figures of the whole batch", arguments: Job.allCases)
  private func equalsParts(job: Job) throws {
    let whole = try Self.course(of: try run(job, "whole", settings()))
    var parted = settings()
    parted.gradientAccumulation = 2
    let parts = try Self.course(of: try run(job, "parts", parted))
    expectClose(whole.losses, parts.losses)
  }

  @Test("what two processes have stored goes on in two bit for bit, and in one and four with the same losses")
  func resumesOnAnyCount() throws {
    let settings = settings(steps: 8)
    let unbroken = try inProcesses(2, sharded: true) {
      try Self.course(of: try run(.energy, "unbroken", settings, group: $0))
    }[0]
    for (count, sharded) in [(2, true), (2, false), (1, false), (4, true)] {
      let name = "broken-\(count)-\(sharded)"
      let before = try inProcesses(2, sharded: true) {
        try Self.course(of: try run(.energy, name, settings, group: $0), until: 3)
      }[0]
      let place = world.place(name)
      let after = try inProcesses(count, sharded: sharded) {
        try Self.course(of: try TrainingRun(resuming: place, group: $0))
      }[0]
      #expect(before.losses == Array(unbroken.losses.prefix(3)))
      if count == 2 {
        #expect(before.losses + after.losses == unbroken.losses)
      } else {
        expectClose(before.losses + after.losses, unbroken.losses)
      }
    }
  }

  @Test("in bfloat16 the float32 values are kept and stored whole, sharded or not")
  func mastersAreWhole() throws {
    var settings = settings(steps: 3)
    settings.precision = .bfloat16
    let fixed = settings
    for sharded in [false, true] {
      _ = try inProcesses(2, sharded: sharded) {
        try Self.course(of: try run(.energy, "run-\(sharded)", fixed, group: $0))
      }
    }
    let (one, two) = (
      try CheckpointReader(world.place("run-false/model")), try CheckpointReader(world.place("run-true/model"))
    )
    for name in one.names {
      let values = try one.tensor(named: name).elements(as: Float.self)
      #expect(try two.tensor(named: name).elements(as: Float.self) == values, "\(name)")
    }
    let name = "embed_proj.0.weight"
    let values = try one.tensor(named: name)
    #expect(values.to(.bfloat16).elements(as: Float.self) != values.elements(as: Float.self))
  }

  @Test("a loss that is not finite in one process is left out by all, and ends all after some in a row")
  func notFinite() throws {
    var settings = world.settings(steps: 100)
    settings.schedule = LearningRateSchedule(peak: 1e30, warmupSteps: 0)
    let fixed = settings
    let errors = try inProcesses(2) { group -> String in
      do {
        try run(.autoencoder, "run", fixed, group: group).trainer.run()
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(errors[0].contains("not finite"))
    #expect(errors[0] == errors[1])
  }

  @Test("one process told to stop stops all after the same step; only the first writes")
  func stopsTogether() throws {
    let settings = settings(steps: 50)
    let steps = try inProcesses(3) { group -> Int in
      var settings = settings
      settings.batchSize = 6
      let run = try run(.autoencoder, "run", settings, group: group)
      let end = try run.trainer.run { event in
        if case .step(let step) = event, group.rank == 2, step.step == 4 { return .stop }
        if case .checkpoint = event { #expect(group.rank == 0) }
        return .continue
      }
      #expect(end == .stopped)
      return run.trainer.step
    }
    #expect(steps == [4, 4, 4])
    #expect(try RunFolder(opening: world.place("run")).latestCheckpoint().lastPathComponent == "step-000004")
  }

  @Test("communication is measured, and what was waited is part of it")
  func communicationFigures() throws {
    let settings = settings()
    let figures = try inProcesses(2) { group in
      _ = try Self.course(of: try run(.transformer, "run", settings, group: group))
      return group.traffic
    }
    for traffic in figures { #expect(traffic.waited > 0 && traffic.waited <= traffic.communicating) }
    let text = try String(contentsOf: world.place("run/metrics.jsonl"), encoding: .utf8)
    let line = try #require(text.split(separator: "\n").first)
    let values = try JSONDecoder().decode([String: Double].self, from: Data(line.utf8))
    #expect(values["communication_seconds"] != nil && values["communication_wait_seconds"] != nil)
  }
}

@Suite struct RankVariablesTests {
  private let whole = [
    "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "node0", "MASTER_PORT": "29500",
  ]

  @Test("what a launcher sets is read, and written is the same")
  func reads() throws {
    let place = try #require(try RankVariables(whole))
    #expect(place == RankVariables(rank: 3, worldSize: 4, localRank: 1, host: "node0", port: 29500))
    #expect(place.environment == whole)
    #expect(try RankVariables(["PATH": "/bin"]) == nil)
  }

  @Test("each process takes the GPU of its number on the machine, which the launcher tells, or Slurm")
  func ownDevice() throws {
    let place = try #require(try RankVariables(whole))
    #expect(place.ownDevice(of: "cuda") == "cuda:1" && place.ownDevice(of: "cpu") == "cpu")
    var environment = whole
    environment["SLURM_LOCALID"] = "2"
    #expect(try RankVariables(environment)?.localRank == 1)
    environment["LOCAL_RANK"] = nil
    #expect(try RankVariables(environment)?.localRank == 2)
    environment["SLURM_LOCALID"] = nil
    #expect(try RankVariables(environment)?.localRank == 3)
  }

  @Test(
    "a launcher that starts the processes anew says so",
    arguments: ["TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"])
  func restarts(variable: String) {
    #expect(RankVariables.isRestart([variable: "2"]))
    for value in ["0", "", "x"] { #expect(!RankVariables.isRestart([variable: value])) }
    #expect(!RankVariables.isRestart(whole))
  }

  @Test("a variable that is missing or does not fit is named", arguments: ["RANK", "WORLD_SIZE", "MASTER_ADDR"])
  func missing(name: String) {
    var environment = whole
    environment[name] = nil
    #expect(throws: RankVariablesError.missing(name)) { try RankVariables(environment) }
  }

  @Test(
    "numbers out of range are refused",
    arguments: [("RANK", "4"), ("RANK", "-1"), ("WORLD_SIZE", "0"), ("MASTER_PORT", "port"), ("LOCAL_RANK", "x")])
  func invalid(name: String, value: String) throws {
    var environment = whole
    environment[name] = value
    let error = #expect(throws: RankVariablesError.self) { try RankVariables(environment) }
    #expect(error?.description.contains(name) == true)
  }
}
