import CALMCorpus
import Testing

@Suite("Sequence permutation")
struct SequencePermutationTests {
  @Test("A sequence permutation is a bijection for any count")
  func bijection() {
    for count in Array(1...300) + [1_000, 4_095, 4_096, 4_097, 100_003] {
      let permutation = SequencePermutation(count: count, seed: 42, epoch: count)
      var seen = [Bool](repeating: false, count: count)
      for index in 0..<count { seen[permutation[index]] = true }
      #expect(seen.allSatisfy { $0 }, "count \(count)")
    }
  }

  @Test("A sequence permutation stays in range for counts that exceed any memory")
  func huge() {
    let count = 1 << 61 + 12_345
    let permutation = SequencePermutation(count: count, seed: 1)
    let images = (0..<1_000).map { permutation[$0 &* 1_000_003] }
    #expect(images.allSatisfy { (0..<count).contains($0) })
    #expect(Set(images).count == images.count)
  }

  @Test("A sequence permutation depends only on the seed and the epoch")
  func seeds() {
    func order(_ seed: UInt64, _ epoch: Int) -> [Int] {
      let permutation = SequencePermutation(count: 500, seed: seed, epoch: epoch)
      return (0..<500).map { permutation[$0] }
    }
    #expect(order(1, 0) == order(1, 0))
    #expect(Set([order(1, 0), order(1, 1), order(2, 0), order(2, 1)]).count == 4)
  }

  @Test("A sequence permutation puts every number at every position equally often", arguments: [5, 12, 16])
  func uniform(count: Int) {
    let epochs = 20_000
    var table = [Int](repeating: 0, count: count * count)
    for epoch in 0..<epochs {
      let permutation = SequencePermutation(count: count, seed: 7, epoch: epoch)
      for place in 0..<count { table[place * count + permutation[place]] += 1 }
    }
    let expected = Double(epochs) / Double(count)
    let chiSquare = table.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    // Rows and columns are fixed, so (count − 1)² degrees of freedom; the bound is mean + 5 standard deviations. The
    // seed is fixed; a fair permutation would exceed it for about 1 seed in 10,000.
    let freedom = Double((count - 1) * (count - 1))
    #expect(chiSquare * Double(count - 1) / Double(count) < freedom + 5 * (2 * freedom).squareRoot())
  }

  @Test("A sequence permutation leaves neighbors no closer than chance")
  func neighbors() {
    let count = 50_000
    let permutation = SequencePermutation(count: count, seed: 3)
    let steps = (1..<count).map { Double(abs(permutation[$0] - permutation[$0 - 1])) }
    let mean = steps.reduce(0, +) / Double(steps.count) / Double(count)
    // The mean distance of two uniform numbers is 1/3, here with a standard error of 0.0011; 6 standard errors are
    // exceeded for 1 seed in 500 million.
    #expect(abs(mean - 1.0 / 3) < 0.0064)
  }
}
