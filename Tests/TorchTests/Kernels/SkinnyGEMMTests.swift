import Testing
import Torch

@Suite("Products of a few rows")
struct SkinnyGEMMTests {
  @Test(
    "products of a few rows agree with x·weightᵀ + bias, up to the kernel's maximum and beyond",
    arguments: [1, 2, 3, 7, 8, 9],
    [DType.float32, .bfloat16])
  func formula(rows: Int, dtype: DType) {
    let generator = Generator(seed: 1)
    for (inputs, outputs) in [(1, 1), (5, 3), (33, 70), (384, 1_000)] {
      let x = generator.normal([rows, 1, inputs]).to(dtype)
      let weight = generator.normal([outputs, inputs]).to(dtype)
      let bias = generator.normal([outputs]).to(dtype)
      let exact = matmul(x.to(.float64), weight.to(.float64).transposed())
      // bfloat16 has eight significant bits.
      let tolerance = dtype == .float32 ? 1e-6 : 5e-3
      expectClose(linear(x, weight: weight), exact, within: tolerance)
      expectClose(linear(x, weight: weight, bias: bias), exact + bias.to(.float64), within: tolerance)
    }
  }

  @Test("a product of a few rows with half of the columns of a weight copies nothing")
  func halves() {
    let (x, weight) = (Generator(seed: 2).normal([2, 20]), Generator(seed: 3).normal([30, 40]))
    for half in weight.split(2, along: 1) {
      expectClose(linear(x, weight: half), matmul(x, half.contiguous().transposed()), within: 1e-6)
    }
  }

  @Test("a product of a few rows has gradients if an input requires them")
  func gradients() {
    let (x, weight) = (
      Generator(seed: 4).normal([2, 20]).leaf(.float32), Generator(seed: 5).normal([30, 20]).leaf(.float32)
    )
    linear(x, weight: weight).sum().backward()
    expectClose(x.gradient!, weight.detached().sum(0).expanded(2, 20), within: 1e-5)
    expectClose(weight.gradient!, x.detached().sum(0).expanded(30, 20), within: 1e-5)
  }

  @Test(
    "the bits of a row depend neither on its place nor on the other rows nor on their number",
    arguments: [DType.float32, .bfloat16])
  func rowsAreIndependent(dtype: DType) {
    let generator = Generator(seed: 6)
    for (inputs, outputs) in [(5, 3), (33, 70), (64, 96), (256, 1_000), (688, 256)] {
      let (x, weight) = (generator.normal([8, inputs]).to(dtype), generator.normal([outputs, inputs]).to(dtype))
      let bias = generator.normal([outputs]).to(dtype)
      expectIndependence(of: x, counts: [1, 2, 3, 4, 7, 8]) { linear($0, weight: weight, bias: bias) }
    }
  }

  @Test("many rows are independent where they are kept apart", arguments: [DType.float32, .bfloat16])
  func manyRowsAreIndependent(dtype: DType) {
    let generator = Generator(seed: 7)
    for (inputs, outputs) in [(5, 3), (33, 70), (256, 300)] {
      let (x, weight) = (generator.normal([8, inputs]).to(dtype), generator.normal([outputs, inputs]).to(dtype))
      let matrix = weight.transposed().contiguous()
      let shapes: [(Tensor) -> Tensor] = [
        { linear($0, weight: weight) }, { matmul($0, matrix) }, { matmul($0, weight.transposed()) },
        { silu(linear($0, weight: weight)) },
      ]
      for product in shapes {
        keepingRowsApart { expectIndependence(of: x, counts: [1, 3, 8, 21, 130], product) }
        let plain = product(x).to(.float64)
        keepingRowsApart { expectClose(product(x), plain, within: dtype == .float32 ? 1e-5 : 2e-2) }
      }
    }
  }

  // Separate roundings would halve the speed.
  @Test(
    "a product and its sum are rounded once, where the processor can",
    .enabled(if: Self.fusesProducts))
  func fusedProducts() {
    // −(1 + 2⁻¹¹) + (1 + 2⁻¹²)² = 2⁻²⁴. Rounded alone, the square is 1 + 2⁻¹¹. The two terms are in one lane.
    var (x, weight) = (Array(repeating: Float(0), count: 64), Array(repeating: Float(0), count: 64))
    (x[0], weight[0]) = (-(1 + 0x1p-11), 1)
    (x[32], weight[32]) = (1 + 0x1p-12, 1 + 0x1p-12)
    for count in [1, 4, 30] {
      let rows = Tensor(x, shape: [1, 64]).expanded(count, 64).contiguous()
      let weights = Tensor(weight, shape: [1, 64]).expanded(40, 64).contiguous()
      let expected = Array(repeating: 0x1p-24, count: count * 40)
      keepingRowsApart {
        #expect(linear(rows, weight: weights).numbers == expected)
        #expect(matmul(rows, weights.transposed().contiguous()).numbers == expected)
      }
    }
  }

  private static var fusesProducts: Bool {
    #if arch(x86_64)
      Processor.Level.current != .baseline
    #else
      true
    #endif
  }

  /// Compares the bits of each of eight rows alone with those at some places among others.
  private func expectIndependence(of x: Tensor, counts: [Int], _ product: (Tensor) -> Tensor) {
    for row in 0..<8 {
      let alone = product(x.narrowed(0, row..<row + 1)).rawBytes
      for count in counts {
        for place in [0, count / 2, count - 1] {
          let order = (0..<count).map { Int64(($0 + 8 * count - place + row) % 8) }
          let together = product(x.gathered(0, Tensor(order)))
          #expect(together.selected(0, place).rawBytes == alone, "row \(row) at \(place) of \(count)")
        }
      }
    }
  }
}
