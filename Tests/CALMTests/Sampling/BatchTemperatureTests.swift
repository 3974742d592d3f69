import CALM
import CALMCorpus
import CALMSupport
import Foundation
import Testing

@Suite("Batch temperature sampling")
struct BatchTemperatureTests {
  static let temperatures = [1, 0.9, 0.75, 2 / 3.0, 0.5, 0.4, 1 / 3.0]
  static let fractional = [0.9, 0.75, 2 / 3.0, 0.4, 0.3]

  @Test("at 1/T = n the weights are the numbers of subsets of n equal samples", arguments: [1, 2, 3, 5])
  func combinations(size: Int) throws {
    let rule = BatchTemperatureRule(temperature: try Temperature(1 / Double(size)))
    let counts = [7, 1, 4, 9, 2, 3, 9]
    let expected = counts.map { count in
      (0..<size).reduce(1.0) { $0 * max(0, Double(count - $1)) / Double(9 - $1) }
    }
    let weights = rule.weights(forCounts: counts)
    #expect(weights.count == expected.count)
    for (weight, truth) in zip(weights, expected) { #expect(abs(weight - truth) < 1e-14) }
  }

  @Test("if no outcome was sampled n times, the most frequent outcomes are equally likely", arguments: [0.25, 0.22])
  func fallsBack(value: Double) throws {
    let rule = BatchTemperatureRule(temperature: try Temperature(value))
    #expect(rule.weights(forCounts: [1, 3, 2, 3]) == [0, 1, 0, 1])
    #expect(rule.weights(forCounts: [1, 1, 1]) == [1, 1, 1])
    #expect(rule.weights(forCounts: [1, 4, 3]) == [0, 1, 0])
  }

  @Test(
    "the weights are those of the Bernoulli factory, averaged over all orders of the samples", arguments: fractional)
  func factoryAverage(value: Double) throws {
    // The probability that a factory run over a random order of N − n samples, k of which are the candidate, accepts or
    // ends undecided, by recursion over the samples.
    let temperature = try Temperature(value)
    let (whole, alpha) = (temperature.wholeExponent, temperature.fractionalExponent)
    func acceptance(_ candidates: Int, _ others: Int, _ trial: Int) -> Double {
      guard candidates + others > 0 else { return 1 }
      let hit = Double(candidates) / Double(candidates + others)
      let survive = 1 - alpha / Double(trial)
      return hit + (others > 0 ? (1 - hit) * survive * acceptance(candidates, others - 1, trial + 1) : 0)
    }
    let candidateCount = 12
    let expected = (whole...candidateCount).map { count in
      let ways = (0..<whole).reduce(1.0) { $0 * Double(count - $1) / Double(whole - $1) }
      return ways * acceptance(count - whole, candidateCount - count, 1)
    }
    let rule = BatchTemperatureRule(temperature: temperature)
    let weights = rule.weights(forCounts: Array(whole...candidateCount))
    #expect(weights.count == expected.count && weights.count > 1)
    for (weight, truth) in zip(weights, expected).dropFirst() {
      #expect(abs(weight - truth / expected[expected.count - 1]) < 1e-13)
    }
    // At c = n only undecided runs are accepted, here with one outcome sampled n and one sampled n + 1 times.
    let rate = Double(whole + 1)
    let undecided = expected[0] / expected[expected.count - 1] * pow(rate / (1 + rate), alpha)
    #expect(abs(weights[0] - undecided) < 1e-13)
  }

  @Test(
    "whether undecided runs accept or reject, the expected weight is P^(1/T) up to (1 − P)^(N − n)",
    arguments: temperatures, [0.05, 0.3, 0.9])
  func weightBias(value: Double, probability: Double) throws {
    let temperature = try Temperature(value)
    let candidateCount = 100
    let bound = pow(1 - probability, Double(candidateCount - temperature.wholeExponent))
    var laws = [RejectedWeights.undecidedAccepts(temperature, candidateCount: candidateCount)]
    if temperature.fractionalExponent > 0 {
      laws.append(RejectedWeights.undecidedRejects(temperature, candidateCount: candidateCount))
    }
    for law in laws {
      // Relative to the weight of N equal samples, which is 1. The expectation of a perfect estimator is P^(1/T).
      let expected = law.expectedWeight(probability, logFactorial: BatchSelectionLaw.logFactorials(candidateCount))
      #expect(abs(expected - pow(probability, temperature.exponent)) <= bound + 1e-10)
    }
  }

  @Test("the weights of random samples have the documented values", arguments: temperatures + [0.3])
  func documentedWeights(value: Double) throws {
    let temperature = try Temperature(value)
    let rule = BatchTemperatureRule(temperature: temperature)
    let law = BatchSelectionLaw(temperature: temperature, candidateCount: 200)
    var generator = SeededGenerator(seed: 33)
    for _ in 0..<1_000 {
      let counts = (0..<(1 + generator.uniform(below: 20))).map { _ in 1 + generator.uniform(below: 10) }
      let weights = rule.weights(forCounts: counts)
      let total = weights.reduce(0, +)
      #expect(weights.count == counts.count)
      for (weight, probability) in zip(weights, law.choice(counts: counts)) {
        #expect(abs(weight / total - probability) < 1e-9)
      }
    }
  }

  @Test("weights neither overflow nor become NaN at a million samples or an exponent of a thousand")
  func largeCounts() throws {
    let half = BatchTemperatureRule(temperature: try Temperature(0.5))
    let weights = half.weights(forCounts: [1_000_000, 500_000, 2, 1])
    #expect(weights[0] == 1)
    #expect(abs(weights[1] / (500_000.0 * 499_999 / (1_000_000.0 * 999_999)) - 1) < 1e-9)
    #expect(abs(weights[2] / (2 / (1_000_000.0 * 999_999)) - 1) < 1e-9)
    #expect(weights[3] == 0)
    let cold = BatchTemperatureRule(temperature: try Temperature(0.0005))
    #expect(cold.weights(forCounts: [1_000_000, 999_000, 2_000]).allSatisfy { $0.isFinite && $0 >= 0 && $0 <= 1 })
  }

  // Sixteen chi-square tests at 1e-5 each.
  @Test("the simulated choice has the enumerated distribution", arguments: temperatures + [0.3], [5, 12])
  func simulationAgreesWithEnumeration(value: Double, candidateCount: Int) throws {
    let distribution = KnownCategorical.threeOutcomes
    let sampler = try BatchTemperatureSampler(temperature: Temperature(value), candidates: candidateCount)
    var generator = SeededGenerator(seed: 31)
    var counts = [0, 0, 0]
    for _ in 0..<20_000 {
      let outcome = sampler.sample(using: &generator) { count, generator in
        (0..<count).map { _ in distribution.draw(using: &generator) }
      }
      counts[outcome] += 1
    }
    let law = BatchSelectionLaw(temperature: sampler.rule.temperature, candidateCount: candidateCount)
    let expected = law.choice(ofThree: distribution.probabilities)
    #expect(ChiSquare.pValue(counts: counts, probabilities: expected) > 1e-5)
  }

  @Test("the distance to P^(1/T) decreases like 1/N with the number of candidates", arguments: temperatures)
  func converges(value: Double) throws {
    let temperature = try Temperature(value)
    let probabilities = KnownCategorical.threeOutcomes.probabilities
    let truth = temperature.applied(to: probabilities)
    let distances = [10, 30, 100, 300, 1_000].map { candidateCount in
      let law = BatchSelectionLaw(temperature: temperature, candidateCount: candidateCount)
      return totalVariation(law.choice(ofThree: probabilities), truth)
    }
    guard value < 1 else {
      #expect(distances.allSatisfy { $0 < 1e-12 })
      return
    }
    for (larger, smaller) in zip(distances, distances.dropFirst()) { #expect(smaller < larger) }
    #expect(distances[4] < 0.12 * distances[2])
    #expect(distances[4] < 0.003)
  }

  @Test("the choice is continuous in the temperature, even at integers 1/T")
  func continuity() throws {
    for counts in [[5, 3, 1], [5, 3, 2, 2, 1], [2, 1, 1], [1, 1, 1], [2, 2, 1]] {
      let below = BatchTemperatureRule(temperature: try Temperature(1 / 2.00001)).weights(forCounts: counts)
      let at = BatchTemperatureRule(temperature: try Temperature(0.5)).weights(forCounts: counts)
      let above = BatchTemperatureRule(temperature: try Temperature(1 / 1.99999)).weights(forCounts: counts)
      let choices = [below, at, above].map { weights in weights.map { $0 / weights.reduce(0, +) } }
      #expect(totalVariation(choices[0], choices[1]) < 1e-4)
      #expect(totalVariation(choices[1], choices[2]) < 1e-4)
    }
  }

  @Test("fewer than ⌈1/T⌉ candidates are an error")
  func refusesSmallPools() throws {
    #expect(throws: TemperatureError.tooFewCandidates(candidates: 2, minimum: 3, temperature: 0.4)) {
      try BatchTemperatureSampler(temperature: Temperature(0.4), candidates: 2)
    }
    #expect(throws: TemperatureError.tooFewCandidates(candidates: 0, minimum: 1, temperature: 1)) {
      try BatchTemperatureSampler(temperature: .one, candidates: 0)
    }
    #expect(try BatchTemperatureSampler(temperature: Temperature(0.4), candidates: 3).candidates == 3)
  }

  @Test("outcomes may have any hashable type, and only sampled outcomes are chosen")
  func anyOutcome() throws {
    let sampler = try BatchTemperatureSampler(temperature: Temperature(0.5), candidates: 4)
    var generator = SeededGenerator(seed: 32)
    let pool: [[Int32]] = [[1, 2], [3, 4], [1, 2], [5, 6]]
    for _ in 0..<20 {
      #expect(sampler.sample(using: &generator) { _, _ in pool } == [1, 2])
    }
  }
}
