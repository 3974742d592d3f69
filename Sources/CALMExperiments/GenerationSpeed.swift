import CALM
import CALMReports
import CALMSupport
import Foundation
import Torch

/// How fast a model writes one text, in tokens per second.
public struct GenerationSpeed: Codable, Sendable, Hashable {
  /// At temperature 1.
  public let one: Double
  /// At temperature 1/2.
  public let half: Double
}

/// The measured speeds of the models of an experiment: the content of `speed.json`.
struct GenerationSpeeds: Codable {
  /// What was measured.
  struct Key: Codable, Equatable {
    let speed: ExperimentPlan.Speed
    /// The text and the training settings of each model.
    let models: [String: [ExperimentFingerprint.Setting]]
  }

  let key: Key
  /// Processor, threads and type of the computation, in words.
  let machine: String
  /// The speeds by model.
  let models: [String: GenerationSpeed]
}

/// Measures how fast models generate. They take turns, so that changes in the speed of the machine affect all alike.
struct SpeedMeasurement {
  /// A model, as the function that starts a text.
  typealias Model = (GenerationOptions) throws -> any SequenceGenerator

  let speed: ExperimentPlan.Speed
  let seed: UInt64

  /// The medians over the turns, by model. A model that yields NaN has no speed.
  func measure(_ models: [(name: String, start: Model)]) throws -> [String: GenerationSpeed] {
    var rates: [String: (one: [Double], half: [Double])] = [:]
    // The first turn warms up.
    for turn in 0...speed.turns {
      for (name, start) in models {
        do {
          let (one, half) = (try rate(of: start, at: 1, turn: turn), try rate(of: start, at: 0.5, turn: turn))
          guard turn > 0 else { continue }
          rates[name, default: ([], [])].one.append(one)
          rates[name, default: ([], [])].half.append(half)
        } catch GenerationError.notFinite {}
      }
    }
    return rates.mapValues { GenerationSpeed(one: $0.one.median, half: $0.half.median) }
  }

  /// Tokens per second of new documents, one after the other, until they have the wanted number of tokens.
  private func rate(of start: Model, at temperature: Double, turn: Int) throws -> Double {
    let began = ContinuousClock.now
    var tokens = 0
    var options = GenerationOptions(temperature: temperature, seed: seed &+ UInt64(turn) << 32)
    while tokens < speed.tokens {
      options.maximumTokens = speed.tokens - tokens
      options.seed &+= 1
      let generator = try start(options)
      while try generator.step() != nil {}
      // A document without a token counts as one, so that the loop ends.
      tokens += max(1, generator.sequences[0].tokens.count)
    }
    return Double(tokens) / began.duration(to: .now).seconds
  }
}

extension ModelFolder {
  /// The folder's model, as the function that starts a text without a prompt.
  func generation(device: Device, precision: DType) throws -> SpeedMeasurement.Model {
    if kind == .autoregressive {
      let model = try loadAutoregressiveModel(device: device, as: precision)
      return { try TokenGenerator(model, prompt: [], options: $0) }
    }
    let model = try loadLanguageModel(device: device, as: precision)
    return { try ChunkGenerator(model, prompt: [], options: $0) }
  }
}
