import CALMCorpus
import CALMSupport
import CTorch
import Testing
import Torch

@Suite("Argmax of a projection")
struct LinearArgmaxTests {
  /// Integers, so that every product is exact in any type and order, and ties are frequent.
  private func whole(_ shape: [Int], in range: ClosedRange<Int>, seed: UInt64) -> [Float] {
    var generator = SeededGenerator(seed: seed)
    return (0..<shape.reduce(1, *)).map { _ in Float(Int.random(in: range, using: &generator)) }
  }

  // With a multiple of 32 as the second number, the products use AMX tiles if the processor has them.
  private static let sizes = [
    [1, 1, 1], [5, 3, 7], [19, 4, 133], [40, 2, 40_001], [4100, 2, 9], [0, 3, 4], [1, 32, 31], [17, 32, 257],
    [70, 64, 1_000], [3, 96, 5_000],
  ]

  @Test(
    "the argmax of a projection is the first of the largest products", arguments: sizes,
    [DType.float32, .bfloat16, .float64])
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
    let argmax = QuantizedArgmax(Tensor(weight, shape: [vocabulary, size]).to(dtype))
    #expect(argmax(Tensor(hidden, shape: [rows, size]).to(dtype)).elements(as: Int64.self) == expected)
  }

  /// A row of 512 float32 numbers, and two rows of weights with the products 258.002 and 257.952. Rounded to bfloat16,
  /// which moves the numbers of the first down and those of the second up, they have the products 256 and 259.96.
  private let misleading = {
    let (half, below, above) = (256, Float(1) + 0x1p-8 - 0x1p-18, Float(1) + 0x1p-8 + 0x1p-18)
    let low = [Float](repeating: below, count: half)
    let high = [Float](repeating: above, count: half)
    let zeros = [Float](repeating: 0, count: half)
    let second = high.dropLast() + [above - 0.0526]
    return (
      hidden: Tensor(low + high, shape: [1, 2 * half]),
      weight: Tensor(low + zeros + zeros + second, shape: [2, 2 * half])
    )
  }()

  @Test("the argmax of a projection is exact if rounding to bfloat16 reverses the order of two rows")
  func misleadingRounding() {
    let (hidden, weight) = misleading
    let products = matmul(hidden.to(.float64), weight.to(.float64).transposed()).numbers
    let rounded = matmul(hidden.to(.bfloat16).to(.float64), weight.to(.bfloat16).to(.float64).transposed()).numbers
    #expect(products[0] > products[1] && rounded[0] + 3.9 < rounded[1])
    #expect(linearArgmax(hidden, weight: weight).elements(as: Int64.self) == [0])
    #expect(QuantizedArgmax(weight)(hidden).elements(as: Int64.self) == [0])
  }

  // The bfloat16 first pass runs only on processors with AMX, but its bound is tested everywhere.
  @Test("the error bound for products of numbers rounded to bfloat16 holds in the worst cases")
  func boundOfRounding() {
    func norm(_ x: Tensor) -> Double { x.to(.float64).squared().sum().item().squareRoot() }
    let (hidden, weight) = misleading
    let worst = Tensor.full([1, 512], 1 + 0x1p-8)
    for (x, w) in [
      (hidden, weight.narrowed(0, 0..<1)), (hidden, weight.narrowed(0, 1..<2)), (worst, worst), (hidden, hidden),
    ] {
      let exact = (x.to(.float64) * w.to(.float64)).sum().item()
      let rounded = (x.to(.bfloat16).to(.float64) * w.to(.bfloat16).to(.float64)).sum().item()
      #expect(abs(rounded - exact) <= Double(ct_bfloat16_product_error(512)) * norm(x) * norm(w))
    }
  }

  @Test("the argmax of a projection has no gradient and does not depend on the memory layout of its inputs")
  func layout() {
    let (hidden, weight) = (Generator(seed: 3).normal([8, 20]).leaf(.float32), Generator(seed: 4).normal([8, 50]))
    let found = linearArgmax(hidden.transposed(), weight: weight.transposed())
    let expected = matmul(hidden.transposed(), weight).argmax()
    #expect(found.elements(as: Int64.self) == expected.elements(as: Int64.self))
    #expect(!found.requiresGradient)
  }

  @Test(
    "the argmax of a projection equals that of the exact products, even for nearly equal products",
    arguments: [DType.float32, .bfloat16],
    [[1, 64], [50, 64], [33, 128], [9, 60]])
  func exact(dtype: DType, sizes: [Int]) {
    let (rows, size, vocabulary) = (sizes[0], sizes[1], 3_001)
    let generator = Generator(seed: 5)
    let hidden = generator.normal([rows, size]).to(dtype)
    let base = generator.normal([vocabulary / 3 + 1, size])
    // Every vector three times: unchanged, larger by the smallest difference in float32, and unchanged again.
    let near = base * (1 + 1.2e-7)
    let weight = Tensor.concatenated([base, near, base]).narrowed(0, 0..<vocabulary).to(dtype)
    let expected = matmul(hidden.to(.float64), weight.to(.float64).transposed()).elements(as: Double.self)
    for found in [linearArgmax(hidden, weight: weight), QuantizedArgmax(weight)(hidden)] {
      for (row, index) in found.elements(as: Int64.self).enumerated() {
        let line = expected[row * vocabulary..<(row + 1) * vocabulary]
        let top = line.max()!
        #expect(Int(index) == line.firstIndex { $0 == top }! - row * vocabulary)
      }
    }
  }

  @Test(
    "a quantized argmax gives the same ids for any norms of its rows and of the vectors",
    arguments: [DType.float32, .bfloat16], [64, 100, 192])
  func quantized(dtype: DType, size: Int) {
    let generator = Generator(seed: 9)
    // Rows of different lengths, and vectors with an entry that is much larger than the others.
    let lengths = generator.uniform([5_000, 1], in: -1..<0.5).exp()
    let weight = (generator.normal([5_000, size]) * lengths).to(dtype)
    let hidden = generator.normal([70, size])
    hidden.narrowed(1, 0..<1).fill(6)
    hidden.narrowed(0, 3..<4).fill(0)
    let rows = hidden.to(dtype)
    let argmax = QuantizedArgmax(weight)
    let expected = linearArgmax(rows, weight: weight).elements(as: Int64.self)
    #expect(argmax(rows).elements(as: Int64.self) == expected)
    #expect(Set(expected).count > 20)
    #expect(argmax(rows.narrowed(0, 5..<6)).elements(as: Int64.self) == [expected[5]])
  }

  // All numbers are rounded to the largest integers, whose sums nearly fill 16 bits. Some numbers of rows are multiples
  // of the rows that share loads, others are not.
  @Test("a quantized argmax adds the largest integers exactly", arguments: [4, 64, 100, 1_000])
  func largestIntegers(size: Int) {
    let vocabulary = 131
    let weight = Tensor(whole([vocabulary, size], in: 0...1, seed: 13), shape: [vocabulary, size]) * 2 - 1
    let hidden = Tensor(whole([40, size], in: 0...1, seed: 14), shape: [40, size]) * 2 - 1
    hidden.narrowed(0, 0..<1).fill(-1)
    weight.narrowed(0, 100..<101).fill(-1)
    let expected = linearArgmax(hidden, weight: weight).elements(as: Int64.self)
    #expect(size < 64 || expected[0] == 100)
    let argmax = QuantizedArgmax(weight)
    for rows in [1, 2, 3, 4, 5, 7, 8, 11, 16, 17, 31, 32, 33, 40] {
      #expect(argmax(hidden.narrowed(0, 0..<rows)).elements(as: Int64.self) == Array(expected[..<rows]))
    }
  }

  @Test(
    "a quantized argmax gives the same ids for tiny and huge numbers with rows of zeros between them",
    arguments: [1e-35, 1e-25, 1e-13, 1e20])
  func extremeSizes(size: Double) {
    let generator = Generator(seed: 12)
    let (hidden, weight) = (generator.normal([40, 64]), generator.normal([700, 64]))
    weight.narrowed(0, 20..<30).fill(0)
    let expected = linearArgmax(hidden, weight: weight).elements(as: Int64.self)
    #expect(QuantizedArgmax(weight)(hidden * size).elements(as: Int64.self) == expected)
    #expect(QuantizedArgmax(weight * size)(hidden).elements(as: Int64.self) == expected)
  }

  @Test("a quantized argmax detects that its matrix was changed or replaced")
  func current() {
    let weight = Generator(seed: 11).normal([50, 64])
    let argmax = QuantizedArgmax(weight)
    #expect(argmax.isCurrent(for: weight) && argmax.isCurrent(for: weight.detached()))
    #expect(!argmax.isCurrent(for: weight.clone()) && !argmax.isCurrent(for: weight.narrowed(0, 0..<40)))
    #expect(!argmax.isCurrent(for: weight.to(.bfloat16)))
    weight.narrowed(0, 3..<4).fill(1)
    #expect(!argmax.isCurrent(for: weight))
  }

  @Test(
    "a quantized argmax falls back to the plain argmax for numbers that are not finite",
    arguments: [Float.nan, .infinity, -.infinity])
  func notFinite(value: Float) {
    let generator = Generator(seed: 10)
    let (hidden, weight) = (generator.normal([20, 64]), generator.normal([600, 64]))
    let broken = hidden.clone()
    broken.narrowed(0, 4..<5).fill(Double(value))
    #expect(
      QuantizedArgmax(weight)(broken).elements(as: Int64.self)
        == linearArgmax(broken, weight: weight).elements(as: Int64.self))
    let brokenWeight = weight.clone()
    brokenWeight.narrowed(0, 77..<78).fill(Double(value))
    #expect(
      QuantizedArgmax(brokenWeight)(hidden).elements(as: Int64.self)
        == linearArgmax(hidden, weight: brokenWeight).elements(as: Int64.self))
  }

  @Test(
    "the argmax of a projection is the same on every code path, with or without columns of zeros",
    arguments: [DType.float32, .bfloat16])
  func paths(dtype: DType) {
    let hidden = Generator(seed: 6).normal([40, 60]).to(dtype)
    let weight = Generator(seed: 7).normal([4_000, 60]).to(dtype)
    func padded(_ tensor: Tensor) -> Tensor {
      .concatenated([tensor, .zeros([tensor.shape[0], 4], dtype: dtype)], along: 1)
    }
    #expect(
      linearArgmax(hidden, weight: weight).elements(as: Int64.self)
        == linearArgmax(padded(hidden), weight: padded(weight)).elements(as: Int64.self))
  }

  @Test("the argmax of a row of zeros is the first entry", arguments: [60, 64])
  func zeros(size: Int) {
    let weight = Generator(seed: 8).normal([500, size])
    #expect(linearArgmax(.zeros([3, size]), weight: weight).elements(as: Int64.self) == [0, 0, 0])
    #expect(QuantizedArgmax(weight)(.zeros([3, size])).elements(as: Int64.self) == [0, 0, 0])
  }
}
