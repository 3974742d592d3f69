import CALM
import CALMTraining
import Foundation
import Torch

extension ExperimentRunner {
  /// The stored speeds of the models, or new ones if other models or settings were measured.
  func generationSpeeds(
    _ speed: ExperimentPlan.Speed, _ fingerprints: [String: ExperimentFingerprint], note: (String) -> Void
  ) throws -> GenerationSpeeds {
    let runs = plan.runs.filter { type(of: $0.settings).kind != .autoencoder && $0.seed == plan.seeds[0] }
    let settings = runs.map { ($0.name, fingerprints[$0.name]?.training ?? []) }
    let key = GenerationSpeeds.Key(speed: speed, models: Dictionary(uniqueKeysWithValues: settings))
    let file = folder.appendingPathComponent("speed.json")
    if let stored = try? JSONDecoder().decode(GenerationSpeeds.self, from: Data(contentsOf: file)), stored.key == key {
      return stored
    }
    note("speed of generation …")
    let models = try runs.map { run in
      let model = try ModelFolder(self.folder(of: run.name).appendingPathComponent("model"))
      return (name: run.name, start: try model.generation(device: device, precision: precision))
    }
    let measured = try SpeedMeasurement(speed: speed, seed: plan.seeds[0]).measure(models)
    let speeds = GenerationSpeeds(key: key, machine: machine, models: measured)
    try write(try JSONEncoder().encode(speeds), to: file)
    return speeds
  }

  /// Where the speeds are measured, in words.
  private var machine: String {
    let place =
      device == .cpu
      ? "\(Processor.current.model), \(Runtime.threads) thread\(Runtime.threads == 1 ? "" : "s")" : "\(device)"
    return "\(place), \(Precision(precision).rawValue)"
  }
}
