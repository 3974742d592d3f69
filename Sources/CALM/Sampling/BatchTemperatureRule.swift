import Foundation

/// Which of N draws to keep so that the choice approaches P_T(x) ∝ P(x)^(1/T) as N grows.
///
/// With 1/T = n + α (see `Temperature`), an outcome that was drawn c times is chosen with a weight proportional to
///
///     w(c) = C(c, n + α) ∝ Γ(c + 1) / Γ(c + 1 − n − α)   for c > n,
///     w(n) = C(n, n + α) · (θ / (1 + θ))^α,   θ = (n + 1) · (F_(n+1) + ½) / (F_n + ½),
///     w(c) = 0   for c < n,
///
/// where F_c is the number of distinct outcomes that were drawn c times. For α = 0 this counts the size-n combinations
/// of equal draws, C(c, n): the rule of the CALM paper.
///
/// For α > 0 it is that rule followed by the Bernoulli factory of `ExactTemperatureSampler`, averaged over all orders
/// of the draws: given n equal draws, running the factory on the N − n others accepts with a probability that sums to
/// the ratio of gamma functions, if a run that ends undecided counts as accepted. Only outcomes with c = n leave runs
/// undecided. They are accepted with the chance that the run, going on, would have ended so; that depends on N · P(x),
/// which the Good–Turing estimate θ puts to what it is on average over those outcomes. Whatever is put there, the
/// expected weight differs from P(x)^(n+α) by no more than (1 − P(x))^(N−n); the choice itself keeps the O(1/N) bias
/// of every ratio of estimates. `docs/temperature.md` has the measured bias, and that of weights that did worse.
///
/// Where no outcome was drawn n times, the rule falls back to n − 1, … 1: that is, to one of the most frequent
/// outcomes, each as likely as the others. The choice is continuous in T throughout.
public struct BatchTemperatureRule: Hashable, Sendable {
  /// The temperature aimed at.
  public let temperature: Temperature

  /// - Parameter temperature: the temperature to aim at.
  public init(temperature: Temperature) {
    self.temperature = temperature
  }

  /// The relative weights of outcomes by how often each was drawn; the most frequent one has weight 1.
  ///
  /// - Parameter counts: how often each distinct outcome was drawn; not empty, each at least 1.
  /// - Returns: as many weights, in 0…1. They do not overflow at any count; what underflows could not be chosen.
  public func weights(forCounts counts: [Int]) -> [Double] {
    precondition(counts.allSatisfy { $0 >= 1 }, "every outcome must have been drawn at least once")
    guard let largest = counts.max() else { preconditionFailure("there are no outcomes to weigh") }
    let smallest = min(temperature.wholeExponent, largest)
    // From the largest count downwards by C(c, s) = C(c + 1, s) · (c + 1 − s) / (c + 1), which only ever shrinks.
    let exponent = temperature.exponent
    var table = [Double](repeating: 1, count: largest - smallest + 1)
    for count in stride(from: largest - 1, through: smallest, by: -1) {
      let above = Double(count + 1)
      table[count - smallest] = table[count + 1 - smallest] * (above - exponent) / above
    }
    if largest > smallest {
      table[0] *= undecidedAcceptance(counts: counts)
    }
    return counts.map { $0 < smallest ? 0 : table[$0 - smallest] }
  }

  /// The chance (θ / (1 + θ))^α that a Bernoulli factory which has not met its candidate again yet accepts at last.
  ///
  /// Exactly it is ∫ θ e^(−θ(t−1)) t^(−α) dt over t ≥ 1, for θ = N · P(x): the factory meets the candidate at rate θ and
  /// rejects at rate α/t. The power has the same limits, and corrects for P(x)^α being concave.
  private func undecidedAcceptance(counts: [Int]) -> Double {
    guard temperature.fractionalExponent > 0 else { return 1 }
    let whole = temperature.wholeExponent
    var once = 0.5
    var onceMore = 0.5
    for count in counts {
      if count == whole { once += 1 }
      if count == whole + 1 { onceMore += 1 }
    }
    let rate = Double(whole + 1) * onceMore / once
    return pow(rate / (1 + rate), temperature.fractionalExponent)
  }

  /// Chooses an outcome by how often each was drawn.
  ///
  /// - Parameters:
  ///   - counts: how often each distinct outcome was drawn; not empty, each at least 1.
  ///   - generator: the randomness of the choice; one number is drawn from it.
  /// - Returns: the index into `counts` of the outcome chosen.
  public func select(counts: [Int], using generator: inout some RandomNumberGenerator) -> Int {
    let weights = weights(forCounts: counts)
    var left = generator.unitInterval() * weights.reduce(0, +)
    var chosen = 0
    for (index, weight) in weights.enumerated() where weight > 0 {
      chosen = index
      if left < weight { break }
      left -= weight
    }
    return chosen
  }

  /// Chooses one of the outcomes drawn.
  ///
  /// - Parameters:
  ///   - outcomes: all draws, repeats included; not empty.
  ///   - generator: the randomness of the choice.
  public func select<Outcome: Hashable>(
    from outcomes: some Collection<Outcome>, using generator: inout some RandomNumberGenerator
  ) -> Outcome {
    var slots: [Outcome: Int] = [:]
    var distinct: [Outcome] = []
    var counts: [Int] = []
    for outcome in outcomes {
      let slot = slots[outcome, default: counts.count]
      if slot == counts.count {
        slots[outcome] = slot
        distinct.append(outcome)
        counts.append(1)
      } else {
        counts[slot] += 1
      }
    }
    return distinct[select(counts: counts, using: &generator)]
  }
}
