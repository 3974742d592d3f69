/// Draws approximately from P_T(x) ∝ P(x)^(1/T) by drawing a pool of N outcomes of P at once and choosing among them.
///
/// Every sample costs exactly N draws. The choice is that of `BatchTemperatureRule`, whose bias vanishes as N grows;
/// `docs/temperature.md` has measured figures. `ExactTemperatureSampler` has no bias and no bound on its cost.
///
/// ```swift
/// let sampler = try BatchTemperatureSampler(temperature: Temperature(0.4), poolSize: 200)
/// var generator = SystemRandomNumberGenerator()
/// let face = try sampler.sample(using: &generator) { count, generator in
///   (0..<count).map { _ in Int.random(in: 1...6, using: &generator) }
/// }
/// ```
public struct BatchTemperatureSampler: Hashable, Sendable {
  /// The rule that chooses from the pool.
  public let rule: BatchTemperatureRule

  /// N, the outcomes drawn for one sample.
  public let poolSize: Int

  /// - Parameters:
  ///   - temperature: the temperature to aim at.
  ///   - poolSize: N, at least `temperature.minimumPoolSize`. The paper uses 200.
  /// - Throws: `TemperatureError.poolTooSmall`.
  public init(temperature: Temperature, poolSize: Int) throws(TemperatureError) {
    guard poolSize >= temperature.minimumPoolSize else {
      throw .poolTooSmall(pool: poolSize, minimum: temperature.minimumPoolSize, temperature: temperature.value)
    }
    self.rule = BatchTemperatureRule(temperature: temperature)
    self.poolSize = poolSize
  }

  /// Draws a pool and chooses one outcome from it.
  ///
  /// - Parameters:
  ///   - generator: the randomness of the choice, handed on to `drawPool`.
  ///   - drawPool: draws as many independent outcomes of P as its first argument says.
  /// - Throws: what `drawPool` throws.
  public func sample<Outcome: Hashable, Generator: RandomNumberGenerator>(
    using generator: inout Generator,
    drawingPool drawPool: (_ count: Int, inout Generator) throws -> [Outcome]
  ) rethrows -> Outcome {
    let pool = try drawPool(poolSize, &generator)
    precondition(pool.count == poolSize, "asked for \(poolSize) draws, got \(pool.count)")
    return rule.select(from: pool, using: &generator)
  }
}
