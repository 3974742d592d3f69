import CALMCorpus
import CALMSupport
import Foundation
import Testing

@Suite("Seeded generator")
struct SeededGeneratorTests {
  @Test("A seeded generator gives the numbers of the reference xoshiro256** for the state 1, 2, 3, 4")
  func referenceNumbers() throws {
    var generator = try #require(SeededGenerator(state: [1, 2, 3, 4]))
    let numbers = (0..<10).map { _ in generator.next() }
    #expect(
      numbers == [
        11520, 0, 1_509_978_240, 1_215_971_899_390_074_240, 1_216_172_134_540_287_360, 607_988_272_756_665_600,
        16_172_922_978_634_559_625, 8_476_171_486_693_032_832, 10_595_114_339_597_558_777, 2_904_607_092_377_533_576,
      ])
  }

  @Test("A seeded generator fills its state with the reference SplitMix64")
  func referenceSeeding() {
    #expect(
      SeededGenerator(seed: 1_234_567).state == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
      ])
  }

  @Test("A seeded generator restored from its state or from JSON continues with the same numbers")
  func continuation() throws {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<100 { _ = generator.next() }
    var fromState = try #require(SeededGenerator(state: generator.state))
    var fromJSON = try JSONDecoder().decode(SeededGenerator.self, from: JSONEncoder().encode(generator))
    for _ in 0..<100 {
      let number = generator.next()
      #expect(fromState.next() == number)
      #expect(fromJSON.next() == number)
    }
  }

  @Test("A seeded generator rejects an invalid state", arguments: [[], [1, 2, 3], [0, 0, 0, 0], [1, 2, 3, 4, 5]])
  func badState(words: [UInt64]) throws {
    #expect(SeededGenerator(state: words) == nil)
    let json = try JSONEncoder().encode(words)
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(SeededGenerator.self, from: json) }
  }

  @Test("Streams of one seed and of adjacent seeds have no numbers in common")
  func streams() {
    var seen: Set<UInt64> = []
    for seed in 0..<8 as Range<UInt64> {
      for stream in 0..<8 as Range<UInt64> {
        var generator = SeededGenerator(seed: seed, stream: stream)
        for _ in 0..<100 { seen.insert(generator.next()) }
      }
    }
    // The probability of equal numbers among 6,400 random 64-bit numbers is 10^-12.
    #expect(seen.count == 6400)
  }

  @Test("uniform(below:) stays below its bound and is uniformly distributed", arguments: [1, 2, 3, 10, 24, 1000])
  func uniform(bound: Int) {
    var generator = SeededGenerator(seed: 11)
    var counts = [Int](repeating: 0, count: bound)
    let samples = 200 * bound
    for _ in 0..<samples { counts[generator.uniform(below: bound)] += 1 }
    let chiSquare = counts.reduce(0.0) { $0 + pow(Double($1) - 200, 2) / 200 }
    // Six standard deviations above the mean of the chi-square distribution: a false alarm in 10^5 for few numbers,
    // far less for many.
    #expect(chiSquare < Double(bound - 1) + 6 * (2 * Double(max(bound - 1, 1))).squareRoot())
  }

  @Test("uniform(below:) is unbiased for a bound that is not a power of two")
  func uniformWithRejection() {
    // Without rejection, the high word of a sample times 3 * 2^61 has the remainder 2 modulo 3 for two samples in
    // eight, and a simple remainder falls in the lowest third for three in eight.
    var generator = SeededGenerator(seed: 12)
    let numbers = (0..<10_000).map { _ in generator.uniform(below: 3 << 61) }
    let remainders = numbers.count { $0 % 3 == 2 }
    let lowest = numbers.count { $0 < 1 << 61 }
    // Six standard deviations: a false alarm in 10^8.
    let tolerance = 6 * (10_000 * 2.0 / 9).squareRoot()
    #expect(abs(Double(remainders) - 10_000 / 3) < tolerance)
    #expect(abs(Double(lowest) - 10_000 / 3) < tolerance)
  }

  @Test("shuffle gives every order of four elements equally often")
  func shuffle() {
    var generator = SeededGenerator(seed: 13)
    var counts: [[Int]: Int] = [:]
    for _ in 0..<24_000 {
      var order = [0, 1, 2, 3]
      generator.shuffle(&order)
      counts[order, default: 0] += 1
    }
    let chiSquare = counts.values.reduce(0.0) { $0 + pow(Double($1) - 1000, 2) / 1000 }
    #expect(counts.count == 24)
    // The 99.999 % point of chi-square with 23 degrees of freedom is 64.
    #expect(chiSquare < 64)
  }
}
