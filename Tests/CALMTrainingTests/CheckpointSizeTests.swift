import CALM
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite("Size of checkpoints", .serialized) struct CheckpointSizeTests {
  init() {
    Runtime.threads = 1
  }

  /// The bytes of the tensors in a safetensors file: all after its header, whose length is the first number.
  private func tensorBytes(_ file: URL) throws -> Int {
    let data = try Data(contentsOf: file)
    let header = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    return data.count - 8 - header
  }

  private func expectPlannedSizes(_ checkpoint: URL, of model: Preset.Model, frozen: Bool) throws {
    let plan = try TrainingPlan(
      model, TrainingPlan.Training(tokens: 1e6), on: TrainingPlan.Cluster(devices: 1, flopsPerSecond: 1e12))
    let weights = try tensorBytes(checkpoint.appendingPathComponent("model.safetensors"))
    let moments = try tensorBytes(checkpoint.appendingPathComponent("optimizer.safetensors"))
    let autoencoder =
      try frozen ? tensorBytes(checkpoint.appendingPathComponent("autoencoder/model.safetensors")) : 0
    #expect(weights == 4 * model.cost.parameters)
    #expect(weights + moments + autoencoder == plan.checkpointBytes)
    // In bfloat16, the optimizer keeps the moments and the float32 weights in memory.
    #expect(weights + moments == plan.optimizerBytes(sharded: false))
  }

  @Test("The checkpoints of an autoencoder and a language model have the size of the plan.")
  func plannedSize() throws {
    let world = try TinyWorld()
    var settings = world.settings(steps: 1)
    let autoencoder = try world.autoencoder("autoencoder", settings)
    try autoencoder.trainer.run()
    let trained = try autoencoder.folder.latestCheckpoint()
    let sizes = try ModelFolder(trained).autoencoderConfiguration()
    try expectPlannedSizes(trained, of: .autoencoder(sizes), frozen: false)

    settings.precision = .bfloat16
    let model = try world.languageModel("model", on: world.place("autoencoder/model"), settings)
    try model.trainer.run()
    let checkpoint = try model.folder.latestCheckpoint()
    let configuration = try ModelFolder(checkpoint).languageModelConfiguration()
    try expectPlannedSizes(checkpoint, of: .continuous(configuration, sizes), frozen: true)
  }
}
