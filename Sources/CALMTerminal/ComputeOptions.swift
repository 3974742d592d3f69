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

  /// Makes the choices those of this process: call it first in a command that computes.
  ///
  /// - Parameter own: this process's own device, where it is one of several.
  /// - Throws: ``DeviceError`` for a device that is not here.
  package func prepare(on own: String? = nil) throws -> ComputeSetting {
    prepare(on: try Device(parsing: own ?? deviceName), precision ?? .auto, threads: threads)
  }

  /// Makes the choices of a run that goes on those of this process: where and in which type it computed before, and
  /// with as many threads where --threads says nothing, because another number gives other bits.
  ///
  /// - Parameters:
  ///   - own: the record's device, or this process's own where it is one of several.
  ///   - areSeveral: whether several processes share the cores: then none takes more than its part.
  /// - Throws: ``DeviceError`` for a device that is not here.
  package func prepare(resuming record: RunRecord, on own: String, areSeveral: Bool) throws -> ComputeSetting {
    let before = areSeveral ? min(record.threads, Runtime.threads) : record.threads
    return prepare(
      on: try Device(parsing: own), Precision(rawValue: record.settings.precision.rawValue) ?? .float32,
      threads: threads ?? before)
  }

  private func prepare(on device: Device, _ precision: Precision, threads: Int?) -> ComputeSetting {
    Runtime.tuneAllocator()
    if let threads { Runtime.threads = threads }
    return ComputeSetting(
      device: device, precision: precision.resolved(on: device), requested: precision, threads: Runtime.threads)
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
