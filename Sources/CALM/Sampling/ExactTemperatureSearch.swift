/// The state of ``ExactTemperatureSampler`` between two samples, for callers that pause in between.
struct ExactTemperatureSearch<Outcome: Hashable> {
  private let temperature: Temperature
  private let maximumSamples: Int
  private var samples = 0
  private var rounds = 0
  private var agreements = 0
  /// The first sample of the round; nil before it.
  private var candidate: Outcome?
  /// The number of samples of the round that equal the candidate, up to n.
  private var equal = 0
  /// The next trial of the Bernoulli factory.
  private var trial = 1.0

  init(temperature: Temperature, maximumSamples: Int) {
    (self.temperature, self.maximumSamples) = (temperature, maximumSamples)
  }

  /// Throws at the maximum number of samples.
  ///
  /// - Throws: ``TemperatureError/maximumSamplesReached(samples:rounds:agreements:temperature:)``.
  func checkLimit() throws(TemperatureError) {
    guard samples < maximumSamples else {
      throw .maximumSamplesReached(
        samples: samples, rounds: rounds, agreements: agreements, temperature: temperature.value)
    }
  }

  /// Adds a sample of P.
  ///
  /// - Parameter generator: the source of randomness for acceptance.
  /// - Returns: the result; nil if it needs more samples.
  mutating func add(_ outcome: Outcome, using generator: inout some RandomNumberGenerator) -> Outcome? {
    samples += 1
    guard let candidate else {
      rounds += 1
      (self.candidate, equal, trial) = (outcome, 1, 1)
      return agreed()
    }
    if equal < temperature.wholeExponent {
      guard outcome == candidate else {
        self.candidate = nil
        return nil
      }
      equal += 1
      return agreed()
    }
    // The candidate is accepted with probability P(candidate)^α.
    if outcome == candidate { return candidate }
    if generator.unitInterval() * trial < temperature.fractionalExponent {
      self.candidate = nil
    } else {
      trial += 1
    }
    return nil
  }

  /// The candidate if it needs no more samples than the n equal ones.
  private mutating func agreed() -> Outcome? {
    guard equal == temperature.wholeExponent else { return nil }
    agreements += 1
    return temperature.fractionalExponent > 0 ? nil : candidate
  }
}
