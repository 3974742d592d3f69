import CALMCorpus
import CALMSupport
import Testing
import Torch

@Suite("Tensors")
struct TensorTests {
  @Test("a tensor returns the elements it was created from, for every Swift type")
  func elements() {
    func expectSame<Element: TensorElement & Equatable>(_ values: [Element]) {
      let tensor = Tensor(values, shape: [2, values.count / 2])
      #expect(tensor.dtype == Element.dtype)
      #expect(tensor.elements(as: Element.self) == values)
    }
    expectSame([1.5, -0.25, .infinity, .leastNonzeroMagnitude] as [Float])
    expectSame([1e300, -0.1, .infinity, .leastNonzeroMagnitude] as [Double])
    expectSame([.min, -1, 0, .max] as [Int32])
    expectSame([.min, -1, 0, .max] as [Int64])
    expectSame([0, 1, 254, 255] as [UInt8])
    expectSame([true, false, false, true])
  }

  @Test("a tensor returns the bytes it was created from, for every element type", arguments: DType.allCases)
  func bytes(dtype: DType) {
    var generator = SeededGenerator(seed: 1)
    let bytes = generator.bytes(6 * dtype.size).map { dtype == .bool ? $0 & 1 : $0 }
    let tensor = bytes.withUnsafeBytes { Tensor(bytes: $0, shape: [3, 2], dtype: dtype) }
    #expect(tensor.dtype == dtype && tensor.shape == [3, 2])
    #expect(tensor.rawBytes == bytes)
    #expect(tensor.clone().rawBytes == bytes)
    // A transposed view returns its elements in row-major order too.
    let size = dtype.size
    let expected = [0, 2, 4, 1, 3, 5].flatMap { bytes[$0 * size..<($0 + 1) * size] }
    #expect(tensor.transposed().rawBytes == expected)
    #expect(!tensor.transposed().isContiguous && tensor.transposed().contiguous().isContiguous)
  }

  @Test("a tensor may have no elements, or no dimensions")
  func small() {
    #expect(Tensor([Float](), shape: [3, 0]).numbers == [])
    #expect(Tensor.empty([0], dtype: .bool).rawBytes == [])
    #expect(Tensor(2.5).shape == [] && Tensor(2.5).count == 1 && Tensor(2.5).item() == 2.5)
  }

  @Test("views share elements, and copies do not")
  func sharing() {
    let tensor = Tensor.zeros([2, 3])
    let (view, copy) = (tensor.transposed(), tensor.clone())
    tensor.fill(7)
    #expect(view.sharesStorage(with: tensor) && view.numbers.allSatisfy { $0 == 7 })
    #expect(!copy.sharesStorage(with: tensor) && copy.numbers.allSatisfy { $0 == 0 })
    #expect(tensor.to(.float32) === tensor)
    tensor.selected(0, 1).copy(from: Tensor([1, 2, 3] as [Int64]))
    #expect(tensor.numbers == [7, 7, 7, 1, 2, 3])
  }

  @Test("reshaping, slicing and joining tensors move elements to the right positions")
  func shapes() {
    let x = Tensor.range(0..<24).reshaped(2, 3, 4)
    #expect(x.narrowed(-1, 1..<3).numbers == [1, 2, 5, 6, 9, 10, 13, 14, 17, 18, 21, 22])
    #expect(x.selected(1, 2).numbers == [8, 9, 10, 11, 20, 21, 22, 23])
    #expect(x.reshaped(-1, 12).shape == [2, 12])
    #expect(x.transposed(0, 2).shape == [4, 3, 2])
    #expect(x.gathered(1, Tensor([2, 0] as [Int64])).selected(0, 0).numbers == [8, 9, 10, 11, 0, 1, 2, 3])
    let picks = Tensor([3, 0, 1, 1, 2, 3] as [Int64], shape: [3, 2])
    #expect(x.elements(at: picks).numbers == [3, 0, 5, 5, 10, 11, 15, 12, 17, 17, 22, 23])
    let parts = x.split(2, along: 2)
    #expect(parts.map(\.shape) == [[2, 3, 2], [2, 3, 2]])
    #expect(Tensor.concatenated(parts, along: -1).numbers == x.numbers)
    #expect(Tensor.stacked([x, x], along: 1).shape == [2, 2, 3, 4])
    #expect(Tensor([1, 2] as [Float]).reshaped(2, 1).expanded(-1, 3).numbers == [1, 1, 1, 2, 2, 2])
  }

  @Test("the first index above a value is that of the first greater element, and the length where there is none")
  func firstIndices() {
    let rows = Tensor([1, 1, 2, 5, 0, 3, 3, 3] as [Float], shape: [2, 4])
    let values = Tensor([0, 1, 4, 5, -1, 0, 3, 2] as [Float], shape: [2, 4])
    #expect(rows.firstIndices(above: values).elements(as: Int64.self) == [0, 2, 3, 4, 0, 1, 4, 1])
  }

  @Test("tensor arithmetic agrees with arithmetic of numbers")
  func arithmetic() {
    let (a, b) = (Tensor([1, 4, 9] as [Float]), Tensor([2, 2, 3] as [Float]))
    #expect((a + b).numbers == [3, 6, 12] && (a - b).numbers == [-1, 2, 6])
    #expect((a * b).numbers == [2, 8, 27] && (a / b).numbers == [0.5, 2, 3])
    #expect((a + 1).numbers == [2, 5, 10] && (a - 1).numbers == [0, 3, 8])
    #expect((2 * a).numbers == (a * 2).numbers && (a / 2).numbers == [0.5, 2, 4.5] && (-a).numbers == [-1, -4, -9])
    #expect(a.squareRoot().numbers == [1, 2, 3] && b.squared().numbers == [4, 4, 9])
    #expect(b.power(3).numbers == [8, 8, 27] && (-b).magnitude().numbers == [2, 2, 3])
    #expect(a.clamped(minimum: 3).numbers == [3, 4, 9])
    expectClose(a.log().exp().numbers, a.numbers, within: 1e-6)
    a.addInPlace(b, scale: -1)
    a.multiplyInPlace(10)
    #expect(a.numbers == [-10, 20, 60])
  }

  @Test("comparisons and reductions of tensors have the expected values")
  func reductions() {
    let x = Tensor([1, 5, 5, 2, 0, -1] as [Float], shape: [2, 3])
    #expect(x.sum().item() == 12 && x.mean().item() == 2)
    #expect(x.sum(0).numbers == [3, 5, 4] && x.mean(-1, keepDimensions: true).shape == [2, 1])
    #expect(x.argmax().elements(as: Int64.self) == [1, 0])
    #expect(x.equals(5).elements(as: Bool.self) == [false, true, true, false, false, false])
    #expect(x.equals(x).all() && !x.equals(0).all())
    #expect(Tensor([1, .nan, .infinity] as [Float]).isFinite().elements(as: Bool.self) == [true, false, false])
    #expect(x.replaced(with: .zeros([2, 3]), where: x.equals(5)).numbers == [1, 0, 0, 2, 0, -1])
  }

  @Test(
    "tensors whose sum overflows are finite; those with an infinity or NaN are not",
    arguments: [
      ([1, -2], true), ([3e38, 3e38], true), ([1, .nan], false), ([.infinity, -.infinity], false),
      ([3e38, .infinity], false),
    ] as [([Float], Bool)])
  func allFinite(numbers: [Float], isFinite: Bool) {
    #expect(Tensor(numbers).allFinite() == isFinite)
    #expect(Tensor(numbers).to(.bfloat16).allFinite() == isFinite)
  }

  @Test("conversion of a tensor rounds to nearest, ties to even")
  func conversion() {
    let values: [Float] = [1, 1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-7, -3.140625]
    #expect(Tensor(values).to(.bfloat16).numbers == [1, 1, 1 + 0x1p-6, 1 + 0x1p-7, -3.140625])
    #expect(Tensor([1.9, -1.9] as [Float]).elements(as: Int64.self) == [1, -1])
  }
}
