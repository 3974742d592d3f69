import ArgumentParser
import CALMSupport
import CALMTerminal
import Foundation
import Torch

/// The limits of a machine, measured.
struct MachineRates: Codable, Hashable {
  /// Operations a second of products of 1024 × 1024 matrices, in billions.
  let gigaflopsPerSecond: Double
  /// Bytes a second read from memory, in billions.
  let gigabytesPerSecond: Double
}

/// `calm bench machine`.
struct BenchMachine: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "machine",
    abstract: "Measure the rates that limit this machine: matrix products and memory.",
    discussion: """
      The sum of a tensor of 1 GiB reads the memory.

      Example:
        calm bench machine --precision bfloat16 --json
      """)

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: ReportOptions

  func run() throws {
    let compute = try compute.prepare()
    let rates = MachineRates(
      gigaflopsPerSecond: productRate(compute.precision, on: compute.device),
      gigabytesPerSecond: readingRate(on: compute.device))
    try report.print(
      rates,
      text: String(
        format: "%.0f GFLOP/s, %.1f GB/s, %@", rates.gigaflopsPerSecond, rates.gigabytesPerSecond, compute.summary))
  }

  private func readingRate(on device: Device) -> Double {
    let tensor = Tensor.ones([1 << 28], device: device)
    let times = (0..<8).map { _ in
      let start = ContinuousClock.now
      _ = tensor.sum().item()
      return start.duration(to: .now).seconds
    }
    return Double(4 << 28) / (times.min() ?? 1) / 1e9
  }
}
