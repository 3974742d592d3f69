import CALMCorpus
import CALMSupport
import Foundation
import TestSupport
import Testing
import Torch

extension Tensor {
  var numbers: [Double] { elements(as: Double.self) }

  var rawBytes: [UInt8] { withUnsafeBytes { Array($0) } }

  /// A new leaf with the same elements.
  func leaf(_ dtype: DType, trained: Bool = true) -> Tensor {
    let leaf = detached().to(dtype).clone()
    leaf.requiresGradient = trained
    return leaf
  }
}

/// Records an issue unless the shapes agree and every error is within `tolerance` times the largest expected element.
func expectClose(
  _ actual: Tensor, _ expected: Tensor, within tolerance: Double, _ what: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(actual.shape == expected.shape, "\(what)", sourceLocation: sourceLocation)
  expectClose(actual.numbers, expected.numbers, within: tolerance, what, sourceLocation: sourceLocation)
}

func expectClose(
  _ actual: [Double], _ expected: [Double], within tolerance: Double, _ what: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(actual.count == expected.count, "\(what)", sourceLocation: sourceLocation)
  let scale = expected.reduce(1e-30) { max($0, abs($1)) }
  // A NaN compares false, so it fails.
  let wrong = zip(actual, expected).enumerated().first { !(abs($1.0 - $1.1) <= tolerance * scale) }
  if let wrong {
    Issue.record(
      "\(what): element \(wrong.offset) is \(wrong.element.0), expected \(wrong.element.1), scale \(scale)",
      sourceLocation: sourceLocation)
  }
}

/// A fused operation and its reference, composed of basic operations.
struct KernelCheck {
  let kernel: ([Tensor]) -> Tensor
  /// Computes in float64.
  let reference: ([Tensor]) -> Tensor
  let seed: UInt64

  /// Without a kernel of its own, as on GPUs, an operation is composed of libtorch's, which store more results.
  private static let composedRoundings = TestCompute.device == .cpu ? 0 : 8

  init(seed: UInt64, kernel: @escaping ([Tensor]) -> Tensor, reference: @escaping ([Tensor]) -> Tensor) {
    (self.seed, self.kernel, self.reference) = (seed, kernel, reference)
  }

  /// Compares value and gradients in `dtype` on the device of ``TestCompute`` with those of the reference, whose inputs
  /// are rounded to the same type.
  ///
  /// - Parameters:
  ///   - terms: the length of the longest sum, see ``roundingBound(_:terms:)``.
  ///   - accumulator: the type of the sums; float32, or float64 for inputs in that type.
  ///   - roundings: the number of intermediate results stored in `dtype`.
  func expectAgreement(
    _ inputs: [Tensor], dtype: DType, terms: Int, accumulator: DType? = nil, roundings: Int = 1,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let accumulator = accumulator ?? (dtype == .float64 ? .float64 : .float32)
    let tolerance =
      roundingBound(accumulator, terms: terms) + Double(roundings + Self.composedRoundings) * unitRoundoff(dtype)
    let leaves = inputs.map { $0.onTestDevice.leaf(dtype) }
    let wide = leaves.map { $0.leaf(.float64) }
    let (actual, expected) = (kernel(leaves), reference(wide))
    expectClose(actual, expected, within: tolerance, "value", sourceLocation: sourceLocation)
    let direction = Generator(seed: seed).normal(actual.shape).to(actual.dtype, device: actual.device)
    actual.backward(direction)
    expected.backward(direction.to(.float64))
    for (index, (leaf, wide)) in zip(leaves, wide).enumerated() {
      guard let gradient = leaf.gradient, let wanted = wide.gradient else {
        Issue.record("input \(index) has no gradient", sourceLocation: sourceLocation)
        continue
      }
      #expect(gradient.dtype == dtype, sourceLocation: sourceLocation)
      expectClose(gradient, wanted, within: tolerance, "gradient of input \(index)", sourceLocation: sourceLocation)
    }
  }

  /// Compares the kernel's float32 gradients with central differences of the reference, at some elements of each input.
  ///
  /// In float64 with steps of 1e-5 the differences are accurate to about 1e-9; the tolerance is that of float32.
  func expectGradientsAreSlopes(
    _ inputs: [Tensor], terms: Int, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let tolerance = roundingBound(.float32, terms: terms)
    let leaves = inputs.map { $0.onTestDevice.leaf(.float32) }
    let result = kernel(leaves)
    let direction = Generator(seed: seed).normal(result.shape).onTestDevice
    result.backward(direction)
    var points = leaves.map(\.numbers)
    func value() -> Double {
      let tensors = zip(points, inputs).map { Tensor($0, shape: $1.shape).onTestDevice }
      return withoutGradients { (reference(tensors) * direction.to(.float64)).sum().item() }
    }
    var generator = SeededGenerator(seed: seed)
    for index in inputs.indices {
      let gradient = leaves[index].gradient?.numbers ?? []
      let scale = gradient.reduce(1e-30) { max($0, abs($1)) }
      for element in gradient.indices.shuffled(using: &generator).prefix(10) {
        let (middle, step) = (points[index][element], 1e-5)
        points[index][element] = middle + step
        let above = value()
        points[index][element] = middle - step
        let below = value()
        points[index][element] = middle
        let slope = (above - below) / (2 * step)
        #expect(
          abs(gradient[element] - slope) <= tolerance * scale + 1e-8,
          "input \(index), element \(element): \(gradient[element]), slope \(slope), largest \(scale)",
          sourceLocation: sourceLocation)
      }
    }
  }
}
