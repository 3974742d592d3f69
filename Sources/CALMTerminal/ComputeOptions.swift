import ArgumentParser
import CALMTraining
import Torch

/// Where and in which type a command computes: `--threads`, `--device`, `--precision`.
package struct ComputeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Threads to compute with; by default one for each core.", valueName: "n"),
    transform: whole(from: 1, to: 1024))
  package var threads: Int?

  @Option(help: "Where to compute: cpu, cuda, cuda:N or mps; by default cpu.")
  package var device: String?

  @Option(
    help: """
      The type to compute in; by default auto, which takes bfloat16 where the device is fast with it (CUDA; processors \
      with AVX-512 BF16 or AMX), else float32.
      """)
  package var precision: Precision?

  package init() {}

  /// The name of the device that was asked for.
  package var deviceName: String { device ?? "cpu" }

  /// Applies these options to this process: call it first in a command that computes.
  ///
  /// - Throws: ``DeviceError`` for a device that is not here.
  package func prepare() throws -> ComputeSetting {
    try ComputeSetting(device: deviceName, precision: precision ?? .auto, threads: threads)
  }
}

extension Precision: ExpressibleByArgument {}

/// Where and in which type this process computes.
package struct ComputeSetting {
  /// Where.
  package let device: Device
  /// In which type, with `auto` decided.
  package let precision: DType
  /// What was asked for.
  package let requested: Precision
  /// Threads of an operation on the processor.
  package let threads: Int

  /// Applies choices to this process.
  ///
  /// - Parameter threads: nil for as many as there are now.
  /// - Throws: ``DeviceError`` for a device that is not here.
  package init(device name: String, precision: Precision, threads: Int?) throws {
    device = try Device(parsing: name)
    Runtime.tuneAllocator()
    if let threads { Runtime.threads = threads }
    (self.precision, requested, self.threads) = (precision.resolved(on: device), precision, Runtime.threads)
  }

  /// One line that says what was taken, and why where the program decided: `cpu, 2 threads, bfloat16 (auto: AMX)`.
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
