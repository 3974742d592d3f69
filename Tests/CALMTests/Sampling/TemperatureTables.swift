import CALM
import CALMCorpus
import CALMSupport
import Foundation
import Testing

/// Prints the tables of `docs/temperature.md`; takes about a minute and a half, only with `CALM_LONG_TESTS=1`.
@Suite(
  "Tables of docs/temperature.md", .serialized,
  .enabled(
    if: ProcessInfo.processInfo.environment["CALM_LONG_TESTS"] == "1", "runs with CALM_LONG_TESTS=1 only"))
struct TemperatureTables {
  static let values = [0.9, 0.75, 2 / 3.0, 0.5, 0.4, 1 / 3.0]
  static let candidateCounts = [10, 30, 100, 300, 1_000, 3_000, 10_000]

  @Test("bias of the batch rule on three outcomes")
  func biasOnThreeOutcomes() throws {
    let probabilities = KnownCategorical.threeOutcomes.probabilities
    try printTable("Batch rule, P = (0.5, 0.3, 0.2), enumerated") { temperature, candidateCount in
      let law = BatchSelectionLaw(temperature: temperature, candidateCount: candidateCount)
      return totalVariation(law.choice(ofThree: probabilities), temperature.applied(to: probabilities))
    }
  }

  @Test("bias of the batch rule on 1,000 outcomes", arguments: [KnownCategorical.zipf, .steep])
  func biasOnManyOutcomes(distribution: KnownCategorical) throws {
    try printTable("Batch rule, \(distribution.name), simulated") { temperature, candidateCount in
      let law = BatchSelectionLaw(temperature: temperature, candidateCount: candidateCount)
      return simulatedDistance(law, distribution, temperature)
    }
  }

  @Test("bias of the rejected weights")
  func biasOfAlternatives() throws {
    let rules: [(name: String, law: (Temperature, Int) -> BatchSelectionLaw)] = [
      ("the library's", { BatchSelectionLaw(temperature: $0, candidateCount: $1) }),
      ("C(c, n + α)", { RejectedWeights.undecidedAccepts($0, candidateCount: $1) }),
      ("C(c, n + α), nothing for c = n", { RejectedWeights.undecidedRejects($0, candidateCount: $1) }),
      ("C(c, n) · (c/N)^α", { RejectedWeights.plugIn($0, candidateCount: $1) }),
      ("C(c, n) · ((c − n)/(N − n))^α", { RejectedWeights.leaveOut($0, candidateCount: $1) }),
    ]
    for distribution in [KnownCategorical.threeOutcomes, .zipf] {
      let isSmall = distribution.probabilities.count == 3
      for value in [0.9, 0.75, 2 / 3.0, 0.4] {
        let temperature = try Temperature(value)
        print("\n\(distribution.name), T = \(temperature): weight | N = 10 | 100 | 1,000")
        for rule in rules {
          let distances = [10, 100, 1_000].map { candidateCount in
            let law = rule.law(temperature, candidateCount)
            return isSmall
              ? totalVariation(
                law.choice(ofThree: distribution.probabilities), temperature.applied(to: distribution.probabilities))
              : simulatedDistance(law, distribution, temperature)
          }
          print("| \(rule.name) | " + distances.map(format).joined(separator: " | ") + " |")
        }
      }
    }
  }

  @Test("number of samples of exact sampling")
  func exactCost() throws {
    print("\nExact sampling, expected samples: T | " + Self.costly.map(\.name).joined(separator: " | "))
    for value in Self.values {
      let temperature = try Temperature(value)
      let draws = Self.costly.map { String(format: "%.1f", expectedDraws($0.probabilities, at: temperature)) }
      print("| \(temperature) | " + draws.joined(separator: " | ") + " |")
    }
  }

  private static let costly: [KnownCategorical] = [.nearlyCertain, .threeOutcomes, .uniform, .steep, .zipf]

  private func printTable(_ title: String, distance: (Temperature, Int) -> Double) throws {
    print("\n\(title): T | " + Self.candidateCounts.map { "N = \($0)" }.joined(separator: " | "))
    for value in Self.values {
      let temperature = try Temperature(value)
      let distances = Self.candidateCounts.map { distance(temperature, $0) }
      print("| \(temperature) | " + distances.map(format).joined(separator: " | ") + " |")
    }
  }

  private func format(_ distance: Double) -> String { String(format: "%.5f", distance) }

  /// Estimates the distance by averaging the probabilities of choice over simulated pools.
  ///
  /// The noise of the ratio W_x / ΣW is reduced by subtracting its linear part around the expected weights, which are
  /// binomial sums: that part has mean zero.
  private func simulatedDistance(
    _ law: BatchSelectionLaw, _ distribution: KnownCategorical, _ temperature: Temperature
  ) -> Double {
    let candidateCount = law.candidateCount
    let repeats = max(3_000, min(300_000, 20_000_000 / candidateCount))
    let probabilities = distribution.probabilities
    let logFactorial = BatchSelectionLaw.logFactorials(candidateCount)
    let expected = probabilities.map { law.expectedWeight($0, logFactorial: logFactorial) }
    let expectedTotal = expected.reduce(0, +)
    var ratios = [Double](repeating: 0, count: probabilities.count)
    var weights = ratios
    var total = 0.0
    var counts = [Int](repeating: 0, count: probabilities.count)
    var generator = SeededGenerator(seed: 71)
    for _ in 0..<repeats {
      var drawn: [Int] = []
      for _ in 0..<candidateCount {
        let outcome = distribution.draw(using: &generator)
        if counts[outcome] == 0 { drawn.append(outcome) }
        counts[outcome] += 1
      }
      let present = drawn.map { counts[$0] }
      for (outcome, share) in zip(drawn, law.choice(counts: present)) {
        ratios[outcome] += share
        weights[outcome] += law.weights[counts[outcome]]
        total += law.weights[counts[outcome]]
        counts[outcome] = 0
      }
    }
    let scale = 1 / Double(repeats)
    let plain = ratios.map { $0 * scale }
    let controlled = probabilities.indices.map { index in
      scale * (ratios[index] - weights[index] / expectedTotal + expected[index] * total / pow(expectedTotal, 2))
    }
    // If pools are small, the ratio is far from linear, and the plain average has less noise.
    return totalVariation(candidateCount < 300 ? plain : controlled, temperature.applied(to: probabilities))
  }
}
