import Testing
import Torch

@Suite("Chosen elements of a product") struct LinearAtTests {
  @Test(
    "chosen elements of a product are those of the whole product",
    arguments: [[5, 3, 7, 4], [1, 1, 1, 1], [33, 192, 300, 20], [2, 65, 9, 0]], [DType.float32, .bfloat16, .float64])
  func values(sizes: [Int], dtype: DType) {
    let (rows, size, columns, count) = (sizes[0], sizes[1], sizes[2], sizes[3])
    let generator = Generator(seed: 1)
    let x = generator.normal([2, rows, size]).to(dtype)
    let weight = generator.normal([columns, size]).to(dtype)
    let chosen = generator.uniform([2, rows, count], in: 0..<Double(columns)).to(.int64)
    let found = linear(x, weight: weight, at: chosen)
    #expect(found.dtype == .float32 && found.shape == [2, rows, count])
    let whole = matmul(x.to(.float64), weight.to(.float64).transposed())
    // Each term is rounded to the type and each sum to float32, or by libtorch to the type.
    let scale = Double(size).squareRoot() * (dtype == .bfloat16 ? 0x1p-7 : 0x1p-20)
    for (value, wanted) in zip(found.elements(as: Double.self), whole.elements(at: chosen).elements(as: Double.self)) {
      #expect(abs(value - wanted) <= scale * (1 + abs(wanted)))
    }
  }

  @Test("the gradient of chosen elements is that of the whole product")
  func gradients() throws {
    let generator = Generator(seed: 2)
    let chosen = generator.uniform([6, 3], in: 0..<5).to(.int64)
    func gradients(_ product: (Tensor, Tensor) -> Tensor) throws -> [[Double]] {
      let parameters = [[6, 8], [5, 8]].map { generator.normal($0, deviation: 1) }
      let numbers = Generator(seed: 3)
      for parameter in parameters {
        withoutGradients { parameter.copy(from: numbers.normal(parameter.shape)) }
        parameter.requiresGradient = true
      }
      product(parameters[0], parameters[1]).squared().sum().backward()
      return try parameters.map { try #require($0.gradient).elements(as: Double.self) }
    }
    let found = try gradients { linear($0, weight: $1, at: chosen) }
    let wanted = try gradients { matmul($0, $1.transposed()).elements(at: chosen) }
    for (found, wanted) in zip(found.joined(), wanted.joined()) {
      #expect(abs(found - wanted) <= 1e-5 * (1 + abs(wanted)))
    }
  }
}
