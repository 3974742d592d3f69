/// Draws exactly from P_T(x) ∝ P(x)^(1/T), given nothing but a sampler of P.
///
/// With 1/T = n + α (see `Temperature`), one round is:
///
/// 1. Draw n outcomes; unless all are equal, start over. What is left is distributed as P(x)^n.
/// 2. If α > 0, accept x with probability P(x)^α, else start over. The coin of that probability is tossed without
///    knowing P(x), by a Bernoulli factory: for i = 1, 2, … draw an outcome; if it equals x accept, otherwise reject
///    with probability α/i, otherwise go on. (The chance to reject is the binomial series of 1 − P(x)^α.)
///
/// A round ends at its first unequal draw. With S_k = Σ_x P(x)^k, the expected number of draws is
/// (1 + S_1 + … + S_(n−1) + S_(n+α−1)) / S_(n+α), without the term S_(n+α−1) if α = 0: cheap where P is concentrated
/// or T near 1, without limit where P is spread out. So there is a limit on draws; reaching it is an error, never a
/// sample from another distribution. With α > 0 the factory needs P(x)^(α−1) draws on average once x is its candidate,
/// so a rare x can spend many: the limit then says so.
///
/// ```swift
/// let sampler = ExactTemperatureSampler(temperature: try Temperature(0.4))
/// var generator = SystemRandomNumberGenerator()
/// let face = try sampler.sample(using: &generator) { Int.random(in: 1...6, using: &$0) }
/// ```
public struct ExactTemperatureSampler: Hashable, Sendable {
  /// The temperature sampled at.
  public let temperature: Temperature

  /// The most outcomes drawn for one sample.
  public let drawLimit: Int

  /// - Parameters:
  ///   - temperature: the temperature to sample at.
  ///   - drawLimit: the most outcomes to draw for one sample, at least 1.
  public init(temperature: Temperature, drawLimit: Int = 100_000) {
    precondition(drawLimit >= 1, "the limit on draws must be at least 1, got \(drawLimit)")
    self.temperature = temperature
    self.drawLimit = drawLimit
  }

  /// Draws one outcome at the temperature.
  ///
  /// - Parameters:
  ///   - generator: the randomness of the acceptance steps, handed on to `draw`.
  ///   - draw: draws one outcome of P, independent of all before.
  /// - Throws: `TemperatureError.drawLimitReached`, or what `draw` throws.
  public func sample<Outcome: Hashable, Generator: RandomNumberGenerator>(
    using generator: inout Generator,
    drawing draw: (inout Generator) throws -> Outcome
  ) throws -> Outcome {
    var tally = Tally(limit: drawLimit)
    while true {
      guard let candidate = try agreement(&tally, &generator, draw) else { continue }
      tally.agreements += 1
      if try accepts(candidate, &tally, &generator, draw) { return candidate }
    }
  }

  /// Draws one outcome at the temperature from a sampler that is cheaper in batches.
  ///
  /// The distribution is that of the other form; draws left over when the outcome is accepted are thrown away.
  ///
  /// - Parameters:
  ///   - batchSize: how many outcomes to ask for at once; fewer are asked for only near the limit.
  ///   - generator: the randomness of the acceptance steps, handed on to `drawBatch`.
  ///   - drawBatch: draws as many independent outcomes of P as its first argument says.
  /// - Throws: `TemperatureError.drawLimitReached`, or what `drawBatch` throws.
  public func sample<Outcome: Hashable, Generator: RandomNumberGenerator>(
    batchSize: Int,
    using generator: inout Generator,
    drawingBatch drawBatch: (_ count: Int, inout Generator) throws -> [Outcome]
  ) throws -> Outcome {
    precondition(batchSize >= 1, "a batch must hold at least 1 draw, got \(batchSize)")
    var batch: ArraySlice<Outcome> = []
    var left = drawLimit
    return try sample(using: &generator) { generator in
      if let next = batch.popFirst() { return next }
      let count = min(batchSize, left)
      let drawn = try drawBatch(count, &generator)
      precondition(drawn.count == count, "asked for \(count) draws, got \(drawn.count)")
      left -= count
      batch = drawn.dropFirst()
      return drawn[0]
    }
  }

  /// What was spent on one sample, and the limit on it.
  private struct Tally {
    let limit: Int
    var draws = 0
    var rounds = 0
    var agreements = 0
  }

  private func next<Outcome, Generator>(
    _ tally: inout Tally, _ generator: inout Generator, _ draw: (inout Generator) throws -> Outcome
  ) throws -> Outcome {
    guard tally.draws < tally.limit else {
      throw TemperatureError.drawLimitReached(
        draws: tally.draws, rounds: tally.rounds, agreements: tally.agreements, temperature: temperature.value)
    }
    tally.draws += 1
    return try draw(&generator)
  }

  /// Step 1: the common value of n draws, or nil as soon as one differs.
  private func agreement<Outcome: Hashable, Generator>(
    _ tally: inout Tally, _ generator: inout Generator, _ draw: (inout Generator) throws -> Outcome
  ) throws -> Outcome? {
    let candidate = try next(&tally, &generator, draw)
    tally.rounds += 1
    for _ in 1..<temperature.wholeExponent where try next(&tally, &generator, draw) != candidate { return nil }
    return candidate
  }

  /// Step 2: true with probability P(candidate)^α.
  private func accepts<Outcome: Hashable, Generator: RandomNumberGenerator>(
    _ candidate: Outcome, _ tally: inout Tally, _ generator: inout Generator,
    _ draw: (inout Generator) throws -> Outcome
  ) throws -> Bool {
    let alpha = temperature.fractionalExponent
    guard alpha > 0 else { return true }
    var trial = 1.0
    while try next(&tally, &generator, draw) != candidate {
      if generator.unitInterval() * trial < alpha { return false }
      trial += 1
    }
    return true
  }
}
