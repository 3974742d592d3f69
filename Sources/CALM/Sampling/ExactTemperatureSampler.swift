/// Samples exactly from P_T(x) ∝ P(x)^(1/T), given only a sampler of P.
///
/// With 1/T = n + α (see `Temperature`), one round is:
///
/// 1. Sample n outcomes. Start over unless all are equal. The common outcome is distributed as P(x)^n.
/// 2. If α > 0, accept x with probability P(x)^α, otherwise start over. A Bernoulli factory does this without knowing
///    P(x): for i = 1, 2, … sample an outcome; if it equals x accept, otherwise reject with probability α/i, otherwise
///    continue. (The probability of rejection is the binomial series of 1 − P(x)^α.)
///
/// A round ends at its first unequal sample. With S_k = Σ_x P(x)^k, the expected number of samples is
/// (1 + S_1 + … + S_(n−1) + S_(n+α−1)) / S_(n+α), without the term S_(n+α−1) if α = 0: small if P is concentrated or T
/// is near 1, unbounded if P is spread out. The number of samples is therefore limited. Reaching the limit is an error;
/// the sampler never returns a sample of another distribution. With α > 0 the factory needs P(x)^(α−1) samples on
/// average for a candidate x, so a rare x can reach the limit.
///
/// ```swift
/// let sampler = ExactTemperatureSampler(temperature: try Temperature(0.4))
/// var generator = SystemRandomNumberGenerator()
/// let face = try sampler.sample(using: &generator) { Int.random(in: 1...6, using: &$0) }
/// ```
public struct ExactTemperatureSampler: Hashable, Sendable {
  /// The temperature.
  public let temperature: Temperature

  /// The maximum number of samples of P per result.
  public let maximumSamples: Int

  /// - Parameters:
  ///   - temperature: the temperature.
  ///   - maximumSamples: the maximum number of samples of P per result, at least 1.
  public init(temperature: Temperature, maximumSamples: Int = 100_000) {
    precondition(maximumSamples >= 1, "the maximum number of samples must be at least 1, got \(maximumSamples)")
    self.temperature = temperature
    self.maximumSamples = maximumSamples
  }

  /// Samples one outcome at the temperature.
  ///
  /// - Parameters:
  ///   - generator: the source of randomness for acceptance, passed on to `sampleOutcome`.
  ///   - sampleOutcome: returns an independent sample of P.
  /// - Throws: `TemperatureError.maximumSamplesReached`, or the errors of `sampleOutcome`.
  public func sample<Outcome: Hashable, Generator: RandomNumberGenerator>(
    using generator: inout Generator,
    outcome sampleOutcome: (inout Generator) throws -> Outcome
  ) throws -> Outcome {
    var search = ExactTemperatureSearch<Outcome>(temperature: temperature, maximumSamples: maximumSamples)
    while true {
      try search.checkLimit()
      if let accepted = search.add(try sampleOutcome(&generator), using: &generator) { return accepted }
    }
  }

  /// Samples one outcome at the temperature, given a sampler of P that is cheaper in batches.
  ///
  /// The distribution is the same as without batches; unused samples of the last batch are discarded.
  ///
  /// - Parameters:
  ///   - batchSize: the number of samples per batch; the last batch before the limit may be smaller.
  ///   - generator: the source of randomness for acceptance, passed on to `sampleBatch`.
  ///   - sampleBatch: returns `count` independent samples of P.
  /// - Throws: `TemperatureError.maximumSamplesReached`, or the errors of `sampleBatch`.
  public func sample<Outcome: Hashable, Generator: RandomNumberGenerator>(
    batchSize: Int,
    using generator: inout Generator,
    batch sampleBatch: (_ count: Int, inout Generator) throws -> [Outcome]
  ) throws -> Outcome {
    precondition(batchSize >= 1, "a batch must hold at least 1 sample, got \(batchSize)")
    var batch: ArraySlice<Outcome> = []
    var left = maximumSamples
    return try sample(using: &generator) { generator in
      if let next = batch.popFirst() { return next }
      let count = min(batchSize, left)
      let sampled = try sampleBatch(count, &generator)
      precondition(sampled.count == count, "requested \(count) samples, got \(sampled.count)")
      left -= count
      batch = sampled.dropFirst()
      return sampled[0]
    }
  }
}
