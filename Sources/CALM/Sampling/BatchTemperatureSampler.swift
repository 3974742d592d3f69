/// Samples approximately from P_T(x) ∝ P(x)^(1/T): it samples N candidates from P at once and chooses one of them.
///
/// The cost is exactly N samples of P. `BatchTemperatureRule` makes the choice; its bias vanishes as N grows, and
/// `docs/temperature.md` has measurements. `ExactTemperatureSampler` has no bias, and no bound on its cost.
///
/// ```swift
/// let sampler = try BatchTemperatureSampler(temperature: Temperature(0.4), candidates: 200)
/// var generator = SystemRandomNumberGenerator()
/// let face = try sampler.sample(using: &generator) { count, generator in
///   (0..<count).map { _ in Int.random(in: 1...6, using: &generator) }
/// }
/// ```
public struct BatchTemperatureSampler: Hashable, Sendable {
  /// The rule that chooses among the candidates.
  public let rule: BatchTemperatureRule

  /// N, the number of candidates.
  public let candidates: Int

  /// - Parameters:
  ///   - temperature: the temperature to approximate.
  ///   - candidates: N, at least `temperature.minimumCandidates`. The paper uses 200.
  /// - Throws: `TemperatureError.tooFewCandidates`.
  public init(temperature: Temperature, candidates: Int) throws(TemperatureError) {
    try temperature.check(candidates: candidates)
    self.rule = BatchTemperatureRule(temperature: temperature)
    self.candidates = candidates
  }

  /// Samples the candidates and chooses one.
  ///
  /// - Parameters:
  ///   - generator: the source of randomness for the choice, passed on to `sampleCandidates`.
  ///   - sampleCandidates: returns `count` independent samples of P.
  /// - Throws: the errors of `sampleCandidates`.
  public func sample<Outcome: Hashable, Generator: RandomNumberGenerator>(
    using generator: inout Generator,
    candidates sampleCandidates: (_ count: Int, inout Generator) throws -> [Outcome]
  ) rethrows -> Outcome {
    let sampled = try sampleCandidates(candidates, &generator)
    precondition(sampled.count == candidates, "requested \(candidates) samples, got \(sampled.count)")
    return rule.select(from: sampled, using: &generator)
  }
}
