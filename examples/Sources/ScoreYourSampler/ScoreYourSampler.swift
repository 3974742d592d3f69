import CALM
import CALMSupport
import Foundation

/// Scores two samplers with BrierLM, and samples one of them at a temperature. Neither computes probabilities.
///
///     swift run ScoreYourSampler
@main
struct ScoreYourSampler {
  static func main() throws {
    var generator = SeededGenerator(seed: 1)
    // Two hundred years, each a document.
    let years = (0..<200).map { _ in Weather().days(365, after: .sunny, using: &generator) }
    try score(Weather(), named: "the chain itself", on: years, using: &generator)
    try score(.withoutMemory, named: "without memory", on: years, using: &generator)
    for value in [1, 0.5, 0.25] { try sample(at: Temperature(value), using: &generator) }
  }

  /// Predicts the four days after each day, from samples alone.
  private static func score(
    _ sampler: Weather, named name: String, on years: [[Weather.Day]], using generator: inout SeededGenerator
  ) throws {
    let days = years.enumerated().flatMap { year, days in
      (0..<days.count - 4).map { (today: days[$0], next: Array(days[$0 + 1...$0 + 4]), year: year) }
    }
    let result = try BrierLM.estimate(
      positions: days.map { BrierPosition(truth: $0.next, document: $0.year) }, samplesPerPosition: 4
    ) { index, count in
      (0..<count).map { _ in sampler.days(4, after: days[index].today, using: &generator) }
    }
    print(String(format: "BrierLM %.2f ± %.2f, ", result.score, result.scoreStandardError ?? .nan) + name)
  }

  /// Samples three days after a sunny one from P(x)^(1/T), and counts how often all are sunny.
  private static func sample(at temperature: Temperature, using generator: inout SeededGenerator) throws {
    let sampler = ExactTemperatureSampler(temperature: temperature)
    let samples = try (0..<2_000).map { _ in
      try sampler.sample(using: &generator) { Weather().days(3, after: .sunny, using: &$0) }
    }
    let sunny = samples.count { $0 == [.sunny, .sunny, .sunny] }
    print("T = \(temperature): three sunny days in \(100 * sunny / samples.count) % of the samples")
  }
}
