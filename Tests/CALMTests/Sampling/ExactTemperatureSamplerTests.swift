import CALM
import CALMCorpus
import CALMSupport
import Foundation
import Testing

@Suite("Exact temperature sampling")
struct ExactTemperatureSamplerTests {
  static let temperatures = [1, 0.9, 0.75, 2 / 3.0, 0.5, 0.4, 1 / 3.0]
  static let distributions: [KnownCategorical] = [.threeOutcomes, .nearlyCertain, .uniform, .zipf, .steep]

  /// The counts of the outcomes in `count` results, and the number of samples that they took.
  private func histogram(
    _ distribution: KnownCategorical, temperature: Double, count: Int, seed: UInt64
  ) throws -> (counts: [Int], samples: Int) {
    let sampler = ExactTemperatureSampler(temperature: try Temperature(temperature), maximumSamples: 100_000_000)
    var generator = SeededGenerator(seed: seed)
    var counts = [Int](repeating: 0, count: distribution.probabilities.count)
    var samples = 0
    for _ in 0..<count {
      let outcome = try sampler.sample(using: &generator) { generator in
        samples += 1
        return distribution.draw(using: &generator)
      }
      counts[outcome] += 1
    }
    return (counts, samples)
  }

  // 35 tests at 1e-5 each: a correct sampler with another seed would fail here once in 2,800 runs.
  @Test("samples have the distribution P^(1/T)", arguments: distributions, temperatures)
  func followsDistribution(distribution: KnownCategorical, temperature: Double) throws {
    let truth = try Temperature(temperature).applied(to: distribution.probabilities)
    let (counts, _) = try histogram(distribution, temperature: temperature, count: 10_000, seed: 17)
    #expect(ChiSquare.pValue(counts: counts, probabilities: truth) > 1e-5)
  }

  @Test(
    "the chi-square test detects a wrong temperature",
    arguments: [KnownCategorical.threeOutcomes, .zipf, .steep])
  func detectsWrongTemperature(distribution: KnownCategorical) throws {
    let wrong = try Temperature(0.45).applied(to: distribution.probabilities)
    let (counts, _) = try histogram(distribution, temperature: 0.4, count: 10_000, seed: 18)
    #expect(ChiSquare.pValue(counts: counts, probabilities: wrong) < 1e-5)
  }

  // Expected samples: (1 + S_1 + … + S_(n−1) + S_(n+α−1)) / S_(n+α), S_k = Σ p^k. The number for one result is nearly
  // geometric, so the mean of 4,000 has a relative error near 1.6 %; 8 % is five times that (14 tests at 6e-7).
  @Test(
    "the mean number of samples equals the documented one", arguments: [KnownCategorical.threeOutcomes, .zipf],
    temperatures
  )
  func costsWhatIsDocumented(distribution: KnownCategorical, value: Double) throws {
    let temperature = try Temperature(value)
    let (_, samples) = try histogram(distribution, temperature: value, count: 4_000, seed: 19)
    let expected = expectedDraws(distribution.probabilities, at: temperature)
    #expect(abs(Double(samples) / 4_000 / expected - 1) < 0.08)
  }

  // One test at 1e-5.
  @Test("sampling in batches gives the same distribution and never exceeds the maximum number of samples")
  func batches() throws {
    let temperature = try Temperature(0.4)
    let sampler = ExactTemperatureSampler(temperature: temperature, maximumSamples: 1_000)
    var generator = SeededGenerator(seed: 20)
    var counts = [0, 0, 0]
    for _ in 0..<10_000 {
      var sampled = 0
      let outcome = try sampler.sample(batchSize: 64, using: &generator) { count, generator in
        sampled += count
        return (0..<count).map { _ in KnownCategorical.threeOutcomes.draw(using: &generator) }
      }
      #expect(sampled <= 1_000)
      counts[outcome] += 1
    }
    let truth = temperature.applied(to: KnownCategorical.threeOutcomes.probabilities)
    #expect(ChiSquare.pValue(counts: counts, probabilities: truth) > 1e-5)
  }

  @Test("a result at temperature 1 takes one sample")
  func oneDraw() throws {
    #expect(try histogram(.zipf, temperature: 1, count: 100, seed: 21).samples == 100)
  }

  @Test("samples that never agree reach the maximum, and the error has the counts")
  func limit() throws {
    let sampler = ExactTemperatureSampler(temperature: try Temperature(0.5), maximumSamples: 1_000)
    var generator = SeededGenerator(seed: 22)
    var next = 0
    #expect(
      throws: TemperatureError.maximumSamplesReached(samples: 1_000, rounds: 500, agreements: 0, temperature: 0.5)
    ) {
      try sampler.sample(using: &generator) { _ in
        next += 1
        return next
      }
    }
    #expect(next == 1_000)
    var asked: [Int] = []
    #expect(throws: TemperatureError.self) {
      try sampler.sample(batchSize: 300, using: &generator) { count, _ in
        asked.append(count)
        return (0..<count).map { asked.count * 1_000 + $0 }
      }
    }
    #expect(asked == [300, 300, 300, 100])
  }

  @Test("an error of the sampled distribution is rethrown")
  func passesErrorsOn() throws {
    struct Broken: Error {}
    let sampler = ExactTemperatureSampler(temperature: .one)
    var generator = SeededGenerator(seed: 23)
    #expect(throws: Broken.self) { try sampler.sample(using: &generator) { _ -> Int in throw Broken() } }
  }

  @Test("the chi-square helper gives tabulated tail probabilities")
  func chiSquareTable() {
    // Quantiles of the usual tables (upper 5 % and 0.1 %).
    #expect(abs(ChiSquare.survival(3.841459, degreesOfFreedom: 1) - 0.05) < 1e-7)
    #expect(abs(ChiSquare.survival(18.307038, degreesOfFreedom: 10) - 0.05) < 1e-7)
    #expect(abs(ChiSquare.survival(149.449253, degreesOfFreedom: 100) - 0.001) < 1e-8)
    #expect(abs(ChiSquare.survival(0.0157908, degreesOfFreedom: 1) - 0.9) < 1e-5)
    #expect(abs(ChiSquare.survival(2, degreesOfFreedom: 2) - exp(-1)) < 1e-12)
  }
}

/// The expected number of samples of exact sampling from `probabilities`.
func expectedDraws(_ probabilities: [Double], at temperature: Temperature) -> Double {
  func sum(_ power: Double) -> Double { probabilities.reduce(0) { $0 + pow($1, power) } }
  let agreement = (1..<temperature.wholeExponent).reduce(1.0) { $0 + sum(Double($1)) }
  let factory = temperature.fractionalExponent > 0 ? sum(temperature.exponent - 1) : 0
  return (agreement + factory) / sum(temperature.exponent)
}
