import ArgumentParser
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
      return start.duration(to: .now).inSeconds
    }
    return Double(4 << 28) / (times.min() ?? 1) / 1e9
  }
}

/// Billions of operations a second in products of 1024 × 1024 matrices, as the models' linear layers make them.
func productRate(_ type: DType, on device: Device = .cpu) -> Double {
  let size = 1024
  let generator = Generator(seed: 0, device: device)
  let (x, weight) = (generator.normal([size, size]).to(type), generator.normal([size, size]).to(type))
  return withoutGradients {
    _ = linear(x, weight: weight).sum().item()
    let start = ContinuousClock.now
    var products = 0
    var seconds = 0.0
    var last = x
    repeat {
      for _ in 0..<16 { last = linear(x, weight: weight) }
      // The work of a GPU is done when a number of the last product is there.
      if device != .cpu { _ = last.sum().item() }
      products += 16
      seconds = start.duration(to: .now).inSeconds
    } while seconds < 0.8
    return 2 * Double(size * size * size * products) / seconds / 1e9
  }
}
