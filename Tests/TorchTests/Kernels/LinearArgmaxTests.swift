import Testing
import Torch

@Suite("Argmax of a projection")
struct LinearArgmaxTests {
  /// Whole numbers, so that every product is exact in any type and order, and ties are many.
  private func whole(_ shape: [Int], in range: ClosedRange<Int>, seed: UInt64) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    return (0..<shape.reduce(1, *)).map { _ in Float(Int.random(in: range, using: &generator)) }
  }

  private static let sizes = [[1, 1, 1], [5, 3, 7], [19, 4, 133], [40, 2, 40_001], [4100, 2, 9], [0, 3, 4]]

  @Test(
    "is the first of the largest products", arguments: sizes, [DType.float32, .bfloat16, .float64])
  func ties(sizes: [Int], dtype: DType) {
    let (rows, size, vocabulary) = (sizes[0], sizes[1], sizes[2])
    let hidden = whole([rows, size], in: -2...2, seed: 1)
    let weight = whole([vocabulary, size], in: -3...3, seed: 2)
    let expected = (0..<rows).map { row -> Int64 in
      var best: (index: Int, value: Float) = (0, -.infinity)
      for index in 0..<vocabulary {
        let value = (0..<size).reduce(Float(0)) { $0 + hidden[row * size + $1] * weight[index * size + $1] }
        if value > best.value { best = (index, value) }
      }
      return Int64(best.index)
    }
    let found = linearArgmax(
      Tensor(hidden, shape: [rows, size]).to(dtype), weight: Tensor(weight, shape: [vocabulary, size]).to(dtype))
    #expect(found.dtype == .int64)
    #expect(found.elements(as: Int64.self) == expected)
  }

  @Test("does not depend on how its inputs lie in memory, and carries no gradient")
  func layout() {
    let (hidden, weight) = (Generator(seed: 3).normal([8, 20]).leaf(.float32), Generator(seed: 4).normal([8, 50]))
    let found = linearArgmax(hidden.transposed(), weight: weight.transposed())
    let expected = matmul(hidden.transposed(), weight).argmax()
    #expect(found.elements(as: Int64.self) == expected.elements(as: Int64.self))
    #expect(!found.requiresGradient)
  }
}
