import ArgumentParser
import CALMTerminal
import Foundation

/// `calm bench job`: one measurement in this process.
struct BenchJobCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "job",
    abstract: "Time one job in this process.",
    discussion: """
      A training step is forward, backward, clipping and AdamW. A generation is of one sequence and includes its \
      prompt; half is temperature ½. Of its weights only the head's last are not fresh: as training starts with zeros \
      there, all draws would be one.

      Example:
        calm bench job generate-half --shape wide --precision float32 --json
      """)

  @Argument(help: ArgumentHelp("What to time: \(BenchJob.names).", valueName: "job"))
  var job: BenchJob

  @Option(help: ArgumentHelp("The sizes: small (by default), wide or calm-m.", valueName: "shape"))
  var shape: BenchShape.Name?

  @OptionGroup var work: BenchWorkOptions
  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: ReportOptions

  private struct Figures: Encodable {
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
    let measurement =
      job.readsText
      ? try BenchTextJob(work, threads: compute.threads).measure(job)
      : try BenchModelJob(work.shape(shape), work: work, compute: compute).measure(job)
    try report.print(
      Figures(
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
