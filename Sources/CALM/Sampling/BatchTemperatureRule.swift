import Foundation

/// Chooses one of N samples of P such that the choice approaches P_T(x) ∝ P(x)^(1/T) as N grows.
///
/// With 1/T = n + α (see `Temperature`), the rule chooses an outcome that was sampled c times with a weight
/// proportional to
///
///     w(c) = C(c, n + α) ∝ Γ(c + 1) / Γ(c + 1 − n − α)   for c > n,
///     w(n) = C(n, n + α) · (θ / (1 + θ))^α,   θ = (n + 1) · (F_(n+1) + ½) / (F_n + ½),
///     w(c) = 0   for c < n,
///
/// where F_c is the number of distinct outcomes that were sampled c times. For α = 0 the weight is the number of size-n
/// subsets of equal samples, C(c, n): the rule of the CALM paper.
///
/// For α > 0 it is that rule followed by the Bernoulli factory of `ExactTemperatureSampler`, averaged over all orders
/// of the samples: given n equal samples, the factory run on the other N − n accepts with a probability that sums to
/// the ratio of gamma functions, if an undecided run counts as accepted. Only outcomes with c = n leave runs undecided.
/// The rule accepts these with the probability that a longer run would accept, which depends on N · P(x); the
/// Good–Turing estimate θ replaces N · P(x) by its average over those outcomes. For any such estimate, the expected
/// weight differs from P(x)^(n+α) by at most (1 − P(x))^(N−n); the choice itself keeps the O(1/N) bias of every ratio
/// of estimates. `docs/temperature.md` has the measured bias, and the bias of weights that performed worse.
///
/// If no outcome was sampled n times, the rule falls back to n − 1, … 1: it chooses uniformly among the most frequent
/// outcomes. The choice is continuous in T.
public struct BatchTemperatureRule: Hashable, Sendable {
  /// The temperature to approximate.
  public let temperature: Temperature

  /// - Parameter temperature: the temperature to approximate.
  public init(temperature: Temperature) {
    self.temperature = temperature
  }

  /// The relative weights of outcomes given their counts; the most frequent outcome has weight 1.
  ///
  /// - Parameter counts: the count of each distinct outcome; not empty, each at least 1.
  /// - Returns: a weight in 0…1 for each outcome. No count overflows; a weight that underflows is negligible.
  public func weights(forCounts counts: [Int]) -> [Double] {
    precondition(counts.allSatisfy { $0 >= 1 }, "every outcome must have a count of at least 1")
    guard let largest = counts.max() else { preconditionFailure("there are no outcomes") }
    let smallest = min(temperature.wholeExponent, largest)
    // From the largest count downwards by C(c, s) = C(c + 1, s) · (c + 1 − s) / (c + 1), which never increases.
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

  /// The probability (θ / (1 + θ))^α that a Bernoulli factory that has not yet seen its candidate again finally
  /// accepts.
  ///
  /// The exact value is ∫ θ e^(−θ(t−1)) t^(−α) dt over t ≥ 1, for θ = N · P(x): the factory sees the candidate at rate
  /// θ and rejects at rate α/t. The power has the same limits, and corrects for the concavity of P(x)^α.
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

  /// Chooses an outcome given the counts of all.
  ///
  /// - Parameters:
  ///   - counts: the count of each distinct outcome; not empty, each at least 1.
  ///   - generator: the source of randomness, which advances by one number.
  /// - Returns: the index of the chosen outcome in `counts`.
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

  /// Chooses one of the samples.
  ///
  /// - Parameters:
  ///   - outcomes: all samples, repetitions included; not empty.
  ///   - generator: the source of randomness, which advances by one number.
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
