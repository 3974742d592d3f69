import ArgumentParser
import CALMTerminal
import Foundation

/// `calm-bench job`: one measurement in this process.
struct BenchJobCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "job",
    abstract: "Time one job in this process.",
    discussion: """
      A training step consists of forward, backward, gradient clipping and AdamW. A generation is one sequence, prompt \
      included; half means temperature ½. Weights are initial ones, except in the last layer of the head: training \
      initializes it to zero, so all samples would be equal.

      Example:
        calm-bench job generate-half --shape wide --precision float32 --json
      """)

  @Argument(help: ArgumentHelp("The job to time: \(BenchJob.names).", valueName: "job"))
  var job: BenchJob

  @Option(help: ArgumentHelp("The sizes: small, wide or calm-m. (default: small)", valueName: "shape"))
  var shape: BenchShape.Name?

  @OptionGroup var work: BenchWorkOptions
  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: OutputOptions

  private struct Results: Encodable {
    let job: BenchJob
    let shape: BenchShape.Name
    let precision: String
    let threads: Int
    let measurement: BenchMeasurement
  }

  func validate() throws {
    try refuse(
      work.problems(with: [job])
        + withoutEffect(
          "on \(job.rawValue)", when: job.readsText,
          ["--shape": shape, "--device": compute.device, "--precision": compute.precision]))
  }

  func run() throws {
    let (compute, shape) = (try compute.prepare(), shape ?? .small)
    var measurement =
      job.readsText
      ? try BenchTextJob(work, threads: compute.threads).measure(job)
      : try BenchModelJob(work.shape(shape), work: work, compute: compute).measure(job)
    measurement.peakDeviceMib = compute.device.peakMemory.map { Double($0) / 1_048_576 }
    try report.print(
      Results(
        job: job, shape: shape, precision: compute.precision.rawValue, threads: compute.threads,
        measurement: measurement),
      text: """
        \(job.title), \(job.readsText ? "text" : shape.rawValue): \
        \(String(format: "%.4g", measurement.secondsMedian)) s, \
        \(grouped(Int(measurement.tokensPerSecond))) tokens/s, peak memory \(Int(measurement.peakMib)) MiB, \
        \(compute.summary)
        """)
  }
}
