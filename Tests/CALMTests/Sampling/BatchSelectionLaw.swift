import CALM
import Foundation

/// The exact distribution of the choice of a batch rule among N samples of a known distribution.
struct BatchSelectionLaw {
  /// The relative weight of an outcome by its count, 0 … N.
  let weights: [Double]

  /// The factor of the weights of outcomes with count n, given all counts.
  private let correction: ([Int]) -> Double

  /// The n of 1/T = n + α.
  private let whole: Int

  /// The documented rule, implemented independently: C(c, n + α), relative to C(N, n + α), and Good–Turing at c = n.
  init(temperature: Temperature, candidateCount: Int) {
    let (whole, alpha) = (temperature.wholeExponent, temperature.fractionalExponent)
    self.init(whole: whole, weights: Self.gammaRatios(temperature, candidateCount: candidateCount)) { counts in
      let frequency = { (count: Int) in Double(counts.count { $0 == count }) + 0.5 }
      let rate = Double(whole + 1) * frequency(whole + 1) / frequency(whole)
      return pow(rate / (1 + rate), alpha)
    }
  }

  /// A rule whose weights depend only on counts.
  init(whole: Int = 1, weights: [Double], correction: @escaping ([Int]) -> Double = { _ in 1 }) {
    self.whole = whole
    self.weights = weights
    self.correction = correction
  }

  /// Γ(c + 1) / Γ(c + 1 − n − α) for c = 0 … N, relative to the last and 0 below n.
  static func gammaRatios(_ temperature: Temperature, candidateCount: Int) -> [Double] {
    func logRatio(_ count: Int) -> Double {
      ChiSquare.logGamma(Double(count + 1)) - ChiSquare.logGamma(Double(count + 1) - temperature.exponent)
    }
    return (0...candidateCount).map {
      $0 < temperature.wholeExponent ? 0 : exp(logRatio($0) - logRatio(candidateCount))
    }
  }

  var candidateCount: Int { weights.count - 1 }

  /// The probability of choosing each outcome, given all counts.
  func choice(counts: [Int]) -> [Double] {
    let factor = correction(counts)
    var chosen = counts.map { $0 == whole ? weights[$0] * factor : weights[$0] }
    if chosen.allSatisfy({ $0 == 0 }) {
      let largest = counts.max()
      chosen = counts.map { $0 == largest ? 1 : 0 }
    }
    let total = chosen.reduce(0, +)
    return chosen.map { $0 / total }
  }

  /// The probability of choosing each of three outcomes: the sum over all possible counts of N samples.
  ///
  /// For large N only counts within nine standard deviations of their means are visited.
  func choice(ofThree probabilities: [Double]) -> [Double] {
    let logFactorial = Self.logFactorials(candidateCount)
    func window(_ probability: Double) -> ClosedRange<Int> {
      let mean = probability * Double(candidateCount)
      let reach = 9 * (mean * (1 - probability)).squareRoot() + 9
      return max(0, Int(mean - reach))...min(candidateCount, Int(mean + reach))
    }
    var result = [0.0, 0.0, 0.0]
    var mass = 0.0
    for first in window(probabilities[0]) {
      for second in window(probabilities[1]) where first + second <= candidateCount {
        let counts = [first, second, candidateCount - first - second]
        var logMass = logFactorial[candidateCount]
        for (count, probability) in zip(counts, probabilities) {
          logMass += Double(count) * log(probability) - logFactorial[count]
        }
        let weight = exp(logMass)
        mass += weight
        for (index, share) in choice(counts: counts).enumerated() { result[index] += weight * share }
      }
    }
    return result.map { $0 / mass }
  }

  /// The expected weight, without the correction, of an outcome with probability p and a binomial count.
  func expectedWeight(_ probability: Double, logFactorial: [Double]) -> Double {
    (0...candidateCount).reduce(0) { sum, count in
      let logMass =
        logFactorial[candidateCount] - logFactorial[count] - logFactorial[candidateCount - count]
        + Double(count) * log(probability) + Double(candidateCount - count) * log1p(-probability)
      return logMass < -60 ? sum : sum + exp(logMass) * weights[count]
    }
  }

  /// log 0! … log n!.
  static func logFactorials(_ count: Int) -> [Double] {
    (1...count).reduce(into: [0]) { $0.append($0[$0.count - 1] + log(Double($1))) }
  }
}

/// Alternative weights that were compared with the library's rule for 1/T = n + α and performed worse.
enum RejectedWeights {
  /// C(c, n) · ((c − n) / (N − n))^α, with the frequency among the other samples in place of P(x).
  static func leaveOut(_ temperature: Temperature, candidateCount: Int) -> BatchSelectionLaw {
    let whole = temperature.wholeExponent
    return BatchSelectionLaw(
      weights: (0...candidateCount).map { count in
        guard count >= whole else { return 0 }
        let rest = Double(count - whole) / Double(max(candidateCount - whole, 1))
        return combinations(count, whole) * pow(rest, temperature.fractionalExponent)
      })
  }

  /// C(c, n) · (c / N)^α, with the frequency among all samples in place of P(x).
  static func plugIn(_ temperature: Temperature, candidateCount: Int) -> BatchSelectionLaw {
    BatchSelectionLaw(
      weights: (0...candidateCount).map { count in
        combinations(count, temperature.wholeExponent)
          * pow(Double(count) / Double(candidateCount), temperature.fractionalExponent)
      })
  }

  /// C(c, n + α) throughout: a factory that ends undecided accepts.
  static func undecidedAccepts(_ temperature: Temperature, candidateCount: Int) -> BatchSelectionLaw {
    BatchSelectionLaw(weights: BatchSelectionLaw.gammaRatios(temperature, candidateCount: candidateCount))
  }

  /// C(c, n + α) for c > n and 0 for c = n: a factory that ends undecided rejects.
  static func undecidedRejects(_ temperature: Temperature, candidateCount: Int) -> BatchSelectionLaw {
    var weights = BatchSelectionLaw.gammaRatios(temperature, candidateCount: candidateCount)
    weights[temperature.wholeExponent] = 0
    return BatchSelectionLaw(weights: weights)
  }

  private static func combinations(_ count: Int, _ size: Int) -> Double {
    guard count >= size else { return 0 }
    return (0..<size).reduce(1) { $0 * Double(count - $1) / Double(size - $1) }
  }
}
