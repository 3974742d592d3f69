import CALM
import CALMCorpus
import CALMSupport
import Testing

@Suite("Sets of equal candidates")
struct SubsetTrialsTests {
  /// Runs trials in stages over known candidates, some sets at once. Returns the number of decoded tokens.
  private func run(
    _ trials: inout SubsetTrials<Int32>, stages: [Int], atOnce: Int = .max, over draws: [[Int32]],
    using generator: inout SeededGenerator
  ) -> Int {
    var decoded = 0
    for sets in stages where trials.agreed == nil {
      trials.add(sets, using: &generator)
      for first in stride(from: 0, to: sets, by: min(atOnce, sets)) where trials.agreed == nil {
        let count = trials.sampleCount(opening: min(atOnce, sets - first))
        #expect(count <= trials.sampleCount)
        trials.open(min(atOnce, sets - first))
        while let pending = trials.pending {
          #expect(pending.samples == pending.samples.sorted() && !pending.samples.isEmpty)
          #expect(pending.samples.allSatisfy { $0 < count })
          decoded += pending.samples.count
          trials.record(pending.samples.map { draws[$0][pending.position] })
        }
      }
    }
    return decoded
  }

  // False alarms: 1e-5 each.
  @Test(
    "the choice by sets, with the rule as a fallback, has the distribution of the rule alone",
    arguments: [0.5, 1 / 3.0])
  func lawOfTheRule(value: Double) throws {
    let temperature = try Temperature(value)
    let rule = BatchTemperatureRule(temperature: temperature)
    let outcomes: [[Int32]] = [[1, 1, 1], [1, 1, 2], [1, 2, 1], [2, 1, 1], [2, 2, 2]]
    let frequencies = [6, 5, 4, 3, 1]
    let pool = zip(outcomes, frequencies).flatMap { Array(repeating: $0, count: $1) }
    var generator = SeededGenerator(seed: 7)
    var counts = [Int](repeating: 0, count: outcomes.count)
    var early = 0
    for _ in 0..<40_000 {
      let draws = pool.shuffled(using: &generator)
      var trials = SubsetTrials<Int32>(candidateCount: draws.count, length: 3, temperature: temperature)
      _ = run(&trials, stages: [2, 6], over: draws, using: &generator)
      var chunk = rule.select(from: draws, using: &generator)
      if let draw = trials.agreed {
        early += 1
        #expect(trials.tokens(of: draw) == draws[draw])
        chunk = draws[draw]
      }
      counts[outcomes.firstIndex(of: chunk)!] += 1
    }
    #expect(early > 5_000 && early < 39_000, "one of the two paths is too rare")
    let weights = rule.weights(forCounts: frequencies)
    let total = weights.reduce(0, +)
    #expect(ChiSquare.pValue(counts: counts, probabilities: weights.map { $0 / total }) > 1e-5)
  }

  @Test("the choice and the random numbers do not depend on how many sets are opened at once")
  func opening() throws {
    var agreed = 0
    for seed in 0..<200 as Range<UInt64> {
      var source = SeededGenerator(seed: seed)
      let draws = (0..<40).map { _ in [Int32(source.uniform(below: 3)), Int32(source.uniform(below: 3))] }
      let results = try [1, 2, 3, 8, 24].map { atOnce in
        var generator = SeededGenerator(seed: seed)
        var trials = SubsetTrials<Int32>(candidateCount: 40, length: 2, temperature: try Temperature(0.5))
        let decoded = run(&trials, stages: [8, 24], atOnce: atOnce, over: draws, using: &generator)
        return (trials.agreed, trials.agreed.map { _ in trials.neededSamples }, generator, decoded)
      }
      agreed += results[0].0 == nil ? 0 : 1
      for result in results {
        #expect(result.0 == results[0].0 && result.1 == results[0].1 && result.2 == results[0].2)
        // A set that is not opened costs nothing.
        #expect(results[0].3 <= result.3)
      }
      if let needed = results[0].1, let sample = results[0].0 { #expect(needed > sample && needed <= 40) }
    }
    #expect(agreed > 100)
  }

  @Test("one set determines the choice among equal candidates")
  func allEqual() throws {
    let draws = [[Int32]](repeating: [4, 3, 2, 1], count: 200)
    for n in 2...5 {
      var trials = SubsetTrials<Int32>(candidateCount: 200, length: 4, temperature: try Temperature(1 / Double(n)))
      var generator = SeededGenerator(seed: 3)
      #expect(run(&trials, stages: [1], over: draws, using: &generator) == 4 * n)
      #expect(trials.agreed == 0 && trials.sampleCount == n)
    }
  }

  @Test("candidates are decoded only as far as those of a set agree, and only once")
  func decodesNoFurther() throws {
    let temperature = try Temperature(0.5)
    var generator = SeededGenerator(seed: 9)
    // No two candidates agree in their first token, or in their last one.
    var apart = SubsetTrials<Int32>(candidateCount: 200, length: 4, temperature: temperature)
    let decoded = run(&apart, stages: [8, 24], over: (0..<200).map { [$0, 0, 0, 0] }, using: &generator)
    #expect(apart.agreed == nil && decoded == apart.sampleCount)
    var late = SubsetTrials<Int32>(candidateCount: 200, length: 4, temperature: temperature)
    let all = run(&late, stages: [8, 24], over: (0..<200).map { [0, 0, 0, $0] }, using: &generator)
    #expect(late.agreed == nil && all == 4 * late.sampleCount)
    #expect((33...64).contains(late.sampleCount))
  }

  @Test("temperatures whose inverse is not an integer of at least 2 are not supported", arguments: [1, 0.9, 0.4])
  func notSupported(value: Double) throws {
    #expect(!SubsetTrials<Int32>.isSupported(at: try Temperature(value)))
  }

  @Test("the random sets come from the stable uniform(below:)")
  func stableSets() throws {
    var generator = SeededGenerator(seed: 11)
    var reference = generator
    var trials = SubsetTrials<Int32>(candidateCount: 7, length: 1, temperature: try Temperature(1 / 3.0))
    trials.add(2, using: &generator)
    trials.open(2)
    var named: Set<Int> = []
    for _ in 0..<2 {
      var places: Set<Int> = []
      while places.count < 3 { places.insert(reference.uniform(below: 7)) }
      named.formUnion(places)
    }
    #expect(trials.sampleCount == named.count)
    #expect(generator == reference)
  }
}
