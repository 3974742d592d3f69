import Foundation
import Torch

/// The device and type of the tests that compute on any device: the CPU and float32, unless the environment names
/// others. `scripts/gpu-check` runs these tests on a GPU.
package enum TestCompute {
  /// `CALM_TEST_DEVICE`, such as `cuda`.
  package static let device = variable("CALM_TEST_DEVICE", default: .cpu) { try Device(parsing: $0) }

  /// `CALM_TEST_PRECISION`, `float32` or `bfloat16`.
  package static let dtype = variable("CALM_TEST_PRECISION", default: .float32) { text in
    guard let dtype = DType(rawValue: text), [.float32, .bfloat16].contains(dtype) else { throw UnknownPrecision() }
    return dtype
  }

  private struct UnknownPrecision: Error, CustomStringConvertible {
    let description = "use float32 or bfloat16"
  }

  private static func variable<Value>(
    _ name: String, default value: Value, parsing parse: (String) throws -> Value
  ) -> Value {
    guard let text = ProcessInfo.processInfo.environment[name], !text.isEmpty else { return value }
    do { return try parse(text) } catch { fatalError("\(name)=\(text): \(error)") }
  }
}

extension Tensor {
  /// The tensor on the device of the tests.
  package var onTestDevice: Tensor { to(device: TestCompute.device) }
}
