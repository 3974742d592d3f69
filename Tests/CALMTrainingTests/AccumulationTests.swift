import CALMCorpus
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite("Gradient accumulation and limits", .serialized) struct AccumulationTests {
  let world: TinyWorld

  init() throws {
    Runtime.threads = 1
    world = try TinyWorld()
  }

  private func settings(parts: Int) -> TrainingSettings {
    var settings = world.settings(steps: 6)
    settings.gradientAccumulation = parts
    return settings
  }

  @Test("Gradient accumulation without noise gives the losses of the whole batch up to rounding", arguments: [2, 4])
  func equalsWholeBatch(parts: Int) throws {
    let whole = try losses(of: try world.transformer("whole", settings(parts: 1)))
    let split = try losses(of: try world.transformer("split", settings(parts: parts)))
    #expect(whole.count == 6 && split.count == 6)
    for (one, other) in zip(whole, split) { #expect(abs(one - other) < 1e-5 * one, "\(one) and \(other)") }
  }

  /// One of two processes, as threads that exchange sums in memory.
  private final class Neighbour: DataParallelGroup {
    let rank: Int
    let count = 2
    private let exchange: Exchange
    private var parameters: [NamedParameter] = []

    init(rank: Int, exchange: Exchange) { (self.rank, self.exchange) = (rank, exchange) }

    func share(_ tensors: [Tensor]) {}
    func begin(_ parameters: [NamedParameter]) { self.parameters = parameters }
    func expectGradients() {}

    func averageGradients() throws {
      for parameter in parameters {
        guard let gradient = parameter.tensor.gradient else { continue }
        let sum = try sum(gradient.elements(as: Float.self).map(Double.init))
        parameter.tensor.gradient = Tensor(sum.map { Float($0 / 2) }, shape: gradient.shape)
      }
    }

    func sum(_ values: [Double]) throws -> [Double] { exchange.sum(values, rank: rank) }
  }

  /// The exchange of values between two threads.
  private final class Exchange: @unchecked Sendable {
    private let condition = NSCondition()
    private var given: [Int: [Double]] = [:]
    private var taken = 0

    /// Sums the values of both threads; NaN if the other thread does not call this, so that a failure causes no deadlock.
    func sum(_ values: [Double], rank: Int) -> [Double] {
      condition.lock()
      defer { condition.unlock() }
      let limit = Date() + 60
      func wait(while isWaiting: () -> Bool) -> Bool {
        while isWaiting() { if !condition.wait(until: limit) { return false } }
        return true
      }
      let nothing = values.map { _ in Double.nan }
      guard wait(while: { given[rank] != nil }) else { return nothing }
      given[rank] = values
      condition.broadcast()
      guard wait(while: { given.count < 2 }) else { return nothing }
      let sum = zip(given[0] ?? [], given[1] ?? []).map(+)
      taken += 1
      if taken == 2 {
        (given, taken) = ([:], 0)
        condition.broadcast()
      } else {
        guard wait(while: { taken != 0 }) else { return nothing }
      }
      return sum
    }
  }

  @Test("Two processes have the same losses, noise included, as one process with two gradient accumulation steps")
  func equalsProcesses() throws {
    let alone = try losses(of: try world.autoencoder("alone", settings(parts: 2)))
    let exchange = Exchange()
    let place = world
    let shared = settings(parts: 1)
    let second = Thread { [exchange] in
      Runtime.threads = 1
      let run = try? place.autoencoder("second", shared, group: Neighbour(rank: 1, exchange: exchange))
      _ = try? run?.trainer.run()
    }
    second.start()
    let together = try losses(
      of: try world.autoencoder("first", shared, group: Neighbour(rank: 0, exchange: exchange)))
    #expect(alone.count == 6 && together.count == 6)
    for (one, other) in zip(alone, together) { #expect(abs(one - other) < 1e-5 * one, "\(one) and \(other)") }
    #expect(!FileManager.default.fileExists(atPath: world.place("second/metrics.jsonl").path))
  }

  @Test("A batch size that is not a multiple of the gradient accumulation steps is an error")
  func unevenBatch() throws {
    #expect(throws: TrainingError.unevenBatch(sequences: 4, processes: 1, parts: 3)) {
      try world.autoencoder("run", settings(parts: 3))
    }
  }

  @Test("A token limit ends the run and its schedule with the step that reaches it")
  func tokenLimit() throws {
    var settings = world.settings(steps: 100)
    settings.maximumTokens = 3 * settings.batchSize * settings.sequenceLength + 1
    let run = try world.autoencoder("run", settings)
    var rates: [Double] = []
    let end = try run.trainer.run { event in
      if case .step(let step) = event { rates.append(step.learningRate) }
      return .continue
    }
    #expect(end == .tokens)
    #expect(rates.count == 4)
    #expect(FileManager.default.fileExists(atPath: run.folder.modelURL.path))
  }

  @Test("A time limit ends the run after a step with a checkpoint and a model, and the run can be resumed")
  func timeLimit() throws {
    var settings = world.settings(steps: 3)
    settings.maximumSeconds = 1e-6
    let run = try world.autoencoder("run", settings)
    #expect(try run.train() == .time)
    #expect(run.trainer.step == 1)
    #expect(FileManager.default.fileExists(atPath: run.folder.modelURL.path))
    let next = try TrainingRun(resuming: run.folder.url)
    #expect(try next.train() == .time)
    #expect(next.trainer.step == 2)
  }
}
