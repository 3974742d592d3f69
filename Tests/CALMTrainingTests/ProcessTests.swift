import CALM
import CALMCorpus
import CALMTraining
import Foundation
import TestSupport
import Testing
import Torch
import TrainingTestSupport

/// Runs `body` on `count` threads that act as the processes of a data-parallel group. Returns the results by rank.
private func inProcesses<Result: Sendable>(
  _ count: Int, sharded: Bool = false, _ body: @escaping @Sendable (MultiProcess) throws -> Result
) throws -> [Result] {
  try inGroup(of: count, timeout: .seconds(60)) { try body(MultiProcess($0, shardsOptimizer: sharded)) }
}

private enum Job: String, CaseIterable {
  case autoencoder, energy, diffusion, posterior, tokens, transformer
}

@Suite("Training in several processes", .serialized) struct ProcessTests {
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
    settings.evaluationSequences = 3
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
    case .posterior: try world.tokenModel(name, settings, head: .posterior, group: group)
    case .tokens: try world.tokenModel(name, settings, head: .tokens, group: group)
    case .transformer: try world.transformer(name, settings, group: group)
    }
  }

  /// The losses of all steps, and the metrics of the final evaluation.
  private struct History: Equatable, Sendable {
    var losses: [Double] = []
    var evaluation: [String: Double] = [:]
  }

  private static func history(of run: TrainingRun, until last: Int = .max) throws -> History {
    var history = History()
    try run.trainer.run { event in
      switch event {
      case .step(let step):
        history.losses.append(step.loss)
        return step.step >= last ? .stop : .continue
      case .evaluation(_, let metrics): history.evaluation = metrics
      default: break
      }
      return .continue
    }
    return history
  }

  /// Expects losses that differ only by the order of summation; the longest sums have 400 terms, the vocabulary size.
  private func expectClose(_ one: [Double], _ other: [Double], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(one.count == other.count, sourceLocation: sourceLocation)
    let tolerance = roundingBound(.float32, terms: 400)
    for (a, b) in zip(one, other) {
      #expect(abs(a - b) <= tolerance * max(1, abs(a)), "\(a) and \(b)", sourceLocation: sourceLocation)
    }
  }

  @Test("All processes start with the weights of process 0")
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
      let sequences = try data.sequences(
        .train, chunkSize: 1, sequenceChunks: settings.sequenceLength / TinyWorld.chunkSize, remainder: .dropped)
      let folder = group.rank == 0 ? try RunFolder(creating: place) : RunFolder(at: place)
      let corpus = WeightedSequences(try #require(sequences))
      let task = AutoregressiveTask(model, validation: nil, tokenizer: data.tokenizerFile)
      _ = try Trainer(task, on: [corpus], settings: settings, folder: folder, group: group)
      return model.namedParameters().map { $0.tensor.elements(as: Float.self) }
    }
    #expect(weights[0] == weights[1])
    #expect(weights[0].joined().contains { $0 != 0 })
  }

  /// The error that both of two processes throw.
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

  @Test("All processes throw an error that names the difference if settings, autoencoder or checkpoint differ")
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
    _ = try Self.history(of: try run(.transformer, "kept", kept))
    let ofCheckpoint = try refusal { group in
      let place = group.rank == 0 ? "kept" : "kept/checkpoints/step-000002"
      _ = try TrainingRun(resuming: world.place(place), group: group)
    }
    #expect(ofCheckpoint == TrainingError.processesDiffer(["step", "position in the data"]))
  }

  @Test(
    "Several processes have the losses and the evaluation of one process with the whole batch",
    arguments: Job.allCases, [(2, false), (2, true), (4, true)])
  private func equalsOneProcess(job: Job, processes: (count: Int, sharded: Bool)) throws {
    let alone = try Self.history(of: try run(job, "alone", settings()))
    let settings = settings()
    let together = try inProcesses(processes.count, sharded: processes.sharded) { group in
      try Self.history(of: try run(job, "together", settings, group: group))
    }
    expectClose(alone.losses, together[0].losses)
    for history in together { #expect(history.losses == together[0].losses) }
    // The weights of the two runs differ by rounding, which may change a sampled token. Therefore compare with an evaluation
    // of the same weights by one process. Each sequence is computed on its own in both; only the sums are shared.
    let metrics = try TrainingRun(resuming: world.place("together")).trainer.task.evaluate(
      sequences: settings.evaluationSequences, seed: settings.seed, shard: .whole)
    let evaluation = Dictionary(uniqueKeysWithValues: metrics.map { ($0.name, $0.value) })
    #expect(!evaluation.isEmpty && Set(evaluation.keys) == Set(alone.evaluation.keys))
    for history in together {
      #expect(Set(history.evaluation.keys) == (history.evaluation.isEmpty ? [] : Set(evaluation.keys)))
      for (name, value) in history.evaluation {
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
      // AdamW takes a full step even if a gradient is only rounding error: compare norms instead of single elements.
      let (a, b) = (
        try one.tensor(named: name).elements(as: Double.self), try two.tensor(named: name).elements(as: Double.self)
      )
      let difference = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
      let size = a.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(difference <= 1e-3 * max(size, 1), "\(name): \(difference) of \(size)")
    }
  }

  /// BrierLM of a model this small is 0, so this compares the scores from which it is computed.
  @Test("Several processes compute the same nonzero Brier scores as one process", arguments: [2, 3])
  func brierScores(count: Int) throws {
    let run = try world.languageModel("run", on: autoencoder, settings())
    _ = try Self.history(of: run)
    let (model, data) = (run.folder.modelURL, world.data)
    @Sendable func scores(_ shard: EvaluationShard) throws -> [Double] {
      let sequences = try #require(
        try TrainingData(path: data).sequences(
          .validation, chunkSize: TinyWorld.chunkSize, sequenceChunks: 16, remainder: .padded))
      let model = try ModelFolder(model).loadLanguageModel()
      return try model.evaluate(on: sequences, sequences: 4, samples: 4, seed: 1, shard: shard).brierLM.brier
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

  @Test("Gradient accumulation has the noise and the losses of the whole batch", arguments: Job.allCases)
  private func equalsParts(job: Job) throws {
    let whole = try Self.history(of: try run(job, "whole", settings()))
    var parted = settings()
    parted.gradientAccumulation = 2
    let parts = try Self.history(of: try run(job, "parts", parted))
    expectClose(whole.losses, parts.losses)
  }

  @Test("A checkpoint of two processes resumes bit for bit with two, and with the same losses with one or four")
  func resumesOnAnyCount() throws {
    let settings = settings(steps: 8)
    let unbroken = try inProcesses(2, sharded: true) {
      try Self.history(of: try run(.energy, "unbroken", settings, group: $0))
    }[0]
    for (count, sharded) in [(2, true), (2, false), (1, false), (4, true)] {
      let name = "broken-\(count)-\(sharded)"
      let before = try inProcesses(2, sharded: true) {
        try Self.history(of: try run(.energy, name, settings, group: $0), until: 3)
      }[0]
      let place = world.place(name)
      let after = try inProcesses(count, sharded: sharded) {
        try Self.history(of: try TrainingRun(resuming: place, group: $0))
      }[0]
      #expect(before.losses == Array(unbroken.losses.prefix(3)))
      if count == 2 {
        #expect(before.losses + after.losses == unbroken.losses)
      } else {
        expectClose(before.losses + after.losses, unbroken.losses)
      }
    }
  }

  @Test("Training in bfloat16 keeps and saves complete float32 weights, with and without a sharded optimizer")
  func mastersAreWhole() throws {
    var settings = settings(steps: 3)
    settings.precision = .bfloat16
    let fixed = settings
    for sharded in [false, true] {
      _ = try inProcesses(2, sharded: sharded) {
        try Self.history(of: try run(.energy, "run-\(sharded)", fixed, group: $0))
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

  @Test("All processes skip the same batches with losses that are not finite, and fail after too many in a row")
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

  @Test("A stop requested in one process stops all after the same step, and only process 0 writes")
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

  @Test("Communication time is measured and includes the time spent waiting")
  func communicationMetrics() throws {
    let settings = settings()
    let traffic = try inProcesses(2) { group in
      _ = try Self.history(of: try run(.transformer, "run", settings, group: group))
      return group.traffic
    }
    for times in traffic { #expect(times.waited > 0 && times.waited <= times.communicating) }
    let text = try String(contentsOf: world.place("run/metrics.jsonl"), encoding: .utf8)
    let line = try #require(text.split(separator: "\n").first)
    #expect(line.contains("\"communication_seconds\"") && line.contains("\"communication_wait_seconds\""))
  }
}
