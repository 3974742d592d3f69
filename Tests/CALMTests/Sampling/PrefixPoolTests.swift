import CALM
import CALMCorpus
import CALMSupport
import Testing

@Suite("Decoding a pool token by token")
struct PrefixPoolTests {
  /// A pool of random chunks that share anything from all tokens to none.
  private func randomPool(using generator: inout SeededGenerator) -> [[Int32]] {
    let length = 1 + generator.uniform(below: 5)
    let alphabet = [1, 2, 3, 10, 1_000][generator.uniform(below: 5)]
    let count = 1 + generator.uniform(below: 40)
    return (0..<count).map { _ in (0..<length).map { _ in Int32(generator.uniform(below: alphabet)) } }
  }

  /// Runs a pool to its end. Returns the sample chosen and the tokens decoded.
  private func run(
    _ chunks: [[Int32]], rule: BatchTemperatureRule, seed: UInt64
  ) -> (sample: Int, decoded: Int, pool: PrefixPool<Int32>) {
    var pool = PrefixPool<Int32>(sampleCount: chunks.count, length: chunks[0].count, rule: rule)
    var decoded = 0
    while let pending = pool.pending {
      #expect(pending.samples == pending.samples.sorted())
      decoded += pending.samples.count
      pool.record(pending.samples.map { chunks[$0][pending.position] })
    }
    var generator = SeededGenerator(seed: seed)
    return (pool.select(using: &generator), decoded, pool)
  }

  @Test(
    "the choice with partial decoding equals that of full decoding", arguments: [1, 0.75, 0.5, 0.4, 1 / 3.0, 0.25, 0.1])
  func sameChoice(value: Double) throws {
    let rule = BatchTemperatureRule(temperature: try Temperature(value))
    var generator = SeededGenerator(seed: 41)
    for seed in 0..<3_000 as Range<UInt64> {
      let chunks = randomPool(using: &generator)
      let (sample, decoded, pool) = run(chunks, rule: rule, seed: seed)
      var selection = SeededGenerator(seed: seed)
      #expect(chunks[sample] == rule.select(from: chunks, using: &selection))
      #expect(chunks.firstIndex(of: chunks[sample]) == sample)
      #expect(decoded <= chunks.count * chunks[0].count)
      #expect(chunks[sample].starts(with: pool.tokens(of: sample)))
      let isShared = Set(chunks).count < chunks.count
      if isShared || value > 0.5 { #expect(pool.tokens(of: sample) == chunks[sample]) }
    }
  }

  @Test("samples whose prefix is not shared n times are not decoded further")
  func dropsUnshared() throws {
    let chunks: [[Int32]] = [
      [1, 1, 1], [1, 1, 1], [1, 1, 1],  // the only chunk sampled three times
      [2, 2, 2], [2, 2, 2],  // a pair, too few at n = 3
      [3, 1, 1], [3, 2, 1], [3, 3, 1],  // three that part at the second token
      [4, 1, 1],
    ]
    let rule = BatchTemperatureRule(temperature: try Temperature(1 / 3.0))
    let (sample, decoded, _) = run(chunks, rule: rule, seed: 1)
    #expect(sample == 0)
    #expect(decoded == 9 + 6 + 3)
  }

  @Test("if no chunk occurs n times, smaller groups are decoded further")
  func takesUpSmallerGroups() throws {
    let chunks: [[Int32]] = [[1, 1, 1], [1, 1, 2], [1, 1, 3], [2, 2, 2], [2, 2, 2], [3, 3, 3]]
    let rule = BatchTemperatureRule(temperature: try Temperature(1 / 3.0))
    let (sample, decoded, _) = run(chunks, rule: rule, seed: 1)
    #expect(sample == 3)
    #expect(decoded == 6 + 3 + 3 + 2 + 2)
  }

  @Test("the agreement is the fraction of sets of n equal samples")
  func agreement() throws {
    let chunks: [[Int32]] = [[1, 1], [1, 1], [1, 1], [1, 1], [2, 1], [2, 1], [2, 1], [2, 2], [3, 3]]
    // C(4, n) and C(3, n) of C(9, n) sets.
    let half = BatchTemperatureRule(temperature: try Temperature(0.5))
    #expect(abs(run(chunks, rule: half, seed: 1).pool.agreement - 9 / 36.0) < 1e-12)
    let third = BatchTemperatureRule(temperature: try Temperature(1 / 3.0))
    #expect(abs(run(chunks, rule: third, seed: 1).pool.agreement - 5 / 84.0) < 1e-12)
    let fifth = BatchTemperatureRule(temperature: try Temperature(0.2))
    #expect(run(chunks, rule: fifth, seed: 1).pool.agreement == 0)
  }

  @Test("if all first tokens differ, only one token of each sample is decoded")
  func nothingShared() throws {
    let chunks: [[Int32]] = (0..<50).map { [$0, 0, 0, 0] }
    let rule = BatchTemperatureRule(temperature: try Temperature(0.5))
    #expect(run(chunks, rule: rule, seed: 1).decoded == 50)
    #expect(Set((0..<200).map { run(chunks, rule: rule, seed: $0).sample }).count > 40)
  }

  @Test("a single sample needs no decoding at n ≥ 2")
  func oneSample() throws {
    let rule = BatchTemperatureRule(temperature: try Temperature(0.5))
    #expect(run([[1, 2, 3]], rule: rule, seed: 1).decoded == 0)
    #expect(run([[1, 2, 3]], rule: rule, seed: 1).sample == 0)
  }
}
