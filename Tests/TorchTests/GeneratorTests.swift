import Testing
import Torch

@Suite("Generators")
struct GeneratorTests {
  /// One call of each kind, with odd counts so that the generator buffers a number if it can.
  private func samples(_ generator: Generator) -> [[UInt8]] {
    [
      generator.uniform([7], in: -2..<3).rawBytes, generator.normal([17], mean: 1, deviation: 2).rawBytes,
      generator.bernoulli([5], probability: 0.5).rawBytes, generator.normal([3], dtype: .float64).rawBytes,
      generator.normal([1, 3], dtype: .bfloat16).rawBytes, generator.uniform([3], dtype: .float64).rawBytes,
    ]
  }

  @Test("a generator gives equal numbers for equal seeds and other numbers for other seeds")
  func seeds() {
    #expect(samples(Generator(seed: 5)) == samples(Generator(seed: 5)))
    #expect(samples(Generator(seed: 5)) != samples(Generator(seed: 6)))
    #expect(samples(Generator(seed: .max)) == samples(Generator(seed: .max)))
  }

  @Test("each of a seed's 64 bits changes the numbers, for generators of batches and of rows", arguments: 0..<64)
  func allBits(bit: Int) {
    for seed: UInt64 in [0, 5, 1 << 40] {
      let other = seed ^ (1 << UInt64(bit))
      #expect(samples(Generator(seed: seed)) != samples(Generator(seed: other)))
      let rows = Generator(rows: [seed, other]).uniform([2, 8], dtype: .float64).numbers
      #expect(rows[..<8] != rows[8...])
    }
  }

  @Test("a seed above 2³² initializes the Mersenne Twister as its authors' init_by_array does")
  func seedOfTwoWords() {
    // numpy.random.RandomState([5, 1]) and ([0x89abcdef, 0x01234567]), the lower 24 of 32 bits as float32.
    for (seed, words) in [
      (1 << 32 | 5, [675_479_763, 2_085_189_291, 1_213_270_837, 3_822_202_474]),
      (0x0123_4567_89ab_cdef, [3_851_240_871, 1_496_727_489, 1_688_815_724, 1_191_980_605]),
    ] as [(UInt64, [UInt32])] {
      let expected = words.map { Double($0 % (1 << 24)) / Double(1 << 24) }
      #expect(Generator(seed: seed).uniform([4]).numbers == expected)
    }
  }

  @Test("generators do not affect each other")
  func independence() {
    let alone = samples(Generator(seed: 1))
    let (first, second) = (Generator(seed: 1), Generator(seed: 2))
    _ = samples(second)
    #expect(samples(first) == alone)
  }

  @Test("restoring a generator's state repeats its numbers", arguments: [3, .max] as [UInt64])
  func state(seed: UInt64) {
    let generator = Generator(seed: seed)
    // Normal numbers are generated in pairs. After an odd count the second one is part of the state.
    _ = generator.normal([3])
    let state = generator.state.clone()
    let following = samples(generator)
    #expect(samples(generator) != following)
    generator.state = state
    #expect(samples(generator) == following)
    let other = Generator(seed: 99)
    other.state = state
    #expect(samples(other) == following)
  }

  // Means of 100,000 samples. Each bound is over five standard errors away: another seed fails with p < 1e-6.
  @Test("samples have the moments of their distributions")
  func moments() {
    let generator = Generator(seed: 4)
    let uniform = generator.uniform([100_000], in: -1..<3, dtype: .float64)
    #expect(uniform.numbers.allSatisfy { -1 <= $0 && $0 < 3 })
    #expect(abs(uniform.mean().item() - 1) < 0.02)
    let normal = generator.normal([100_000], mean: 2, deviation: 3, dtype: .float64)
    #expect(abs(normal.mean().item() - 2) < 0.05)
    #expect(abs((normal - 2).squared().mean().item() - 9) < 0.21)
    let ones = generator.bernoulli([100_000], probability: 0.15)
    #expect(Set(ones.numbers) == [0, 1] && abs(ones.mean().item() - 0.15) < 0.006)
  }
}
