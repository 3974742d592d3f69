import ArgumentParser
import CALMTraining
import Torch

/// The threads, device and precision of a command: `--threads`, `--device`, `--precision`.
package struct ComputeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Threads to compute with. (default: one for each core)", valueName: "n"),
    transform: whole(from: 1, to: 1024))
  package var threads: Int?

  @Option(help: "Device to compute on: cpu, cuda, cuda:N or mps. (default: cpu)")
  package var device: String?

  @Option(
    help: """
      Precision to compute in; auto is bfloat16 if the device is fast with it (CUDA; processors with AVX-512 BF16 or \
      AMX) and float32 otherwise. (default: auto)
      """)
  package var precision: Precision?

  package init() {}

  /// The name of the requested device.
  package var deviceName: String { device ?? "cpu" }

  /// Applies these options to this process. Call it before any computation.
  ///
  /// - Throws: ``DeviceError`` if the device is not available.
  package func prepare() throws -> ComputeSetting {
    try ComputeSetting(device: deviceName, precision: precision ?? .auto, threads: threads)
  }
}

extension Precision: ExpressibleByArgument {}

/// The device, precision and threads of this process.
package struct ComputeSetting {
  /// The device.
  package let device: Device
  /// The type, with `auto` resolved.
  package let precision: DType
  /// The requested type.
  package let requested: Precision
  /// Threads per operation on the CPU.
  package let threads: Int

  /// Applies settings to this process.
  ///
  /// - Parameter threads: nil for the current number.
  /// - Throws: ``DeviceError`` if the device is not available.
  package init(device name: String, precision: Precision, threads: Int?) throws {
    device = try Device(parsing: name)
    Runtime.tuneAllocator()
    Runtime.flushDenormals()
    if let threads { Runtime.threads = threads }
    (self.precision, requested, self.threads) = (precision.resolved(on: device), precision, Runtime.threads)
  }

  /// A description in one line, with the reason for an automatic choice: `cpu, 2 threads, bfloat16 (auto: AMX)`.
  package var summary: String {
    let reason =
      switch (requested, device) {
      case (.auto, .cpu): " (auto: \(Processor.current.bfloat16Reason))"
      case (.auto, _): " (auto)"
      default: ""
      }
    let place = device == .cpu ? "cpu, \(threads) thread\(threads == 1 ? "" : "s")" : "\(device)"
    return "\(place), \(precision.rawValue)\(reason)"
  }
}
