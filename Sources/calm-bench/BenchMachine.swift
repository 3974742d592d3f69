import ArgumentParser
import CALMSupport
import CALMTerminal
import Foundation
import Torch

/// The measured limits of a machine.
struct MachineRates: Codable, Hashable {
  /// The rate of products of 1024 × 1024 matrices, on a GPU of 8192 × 8192.
  let gigaflopsPerSecond: Double
  /// The rate of reading memory.
  let gigabytesPerSecond: Double
}

/// `calm-bench machine`.
struct BenchMachine: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "machine",
    abstract: "Measure the rates that limit this machine: matrix products and memory.",
    discussion: """
      The memory rate is measured by summing a tensor of 1 GiB.

      Example:
        calm-bench machine --precision bfloat16 --json
      """)

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: OutputOptions

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
