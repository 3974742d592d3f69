import ArgumentParser
import CALMReports
import CALMSupport
import CALMTerminal
import CALMTraining
import Foundation

/// `calm-bench growth`.
struct BenchGrowth: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "growth",
    abstract: "Measure how time and memory grow with the size of the work.",
    discussion: """
      Varies the tokens of a training step (more sequences, longer sequences) and, for a generated chunk, the context \
      length, the number of candidates and the vocabulary size. Each point runs in its own process; sizes that do not \
      vary are those of the shape small. Writes one plot of time and one of memory per subject, and growth.json.

      Example:
        calm-bench growth training context --out docs/growth --precision bfloat16
      """)

  /// The quantity that varies.
  enum Subject: String, ExpressibleByArgument, CaseIterable {
    case training, context, candidates, vocabulary
  }

  @Argument(
    help: ArgumentHelp(
      "The quantities to vary: \(Subject.allCases.map(\.rawValue).joined(separator: ", ")). (default: all)",
      valueName: "subjects"))
  var subjects: [Subject] = []

  @Option(name: .customLong("out"), help: ArgumentHelp("The folder for the plots.", valueName: "folder"))
  var output: String

  @Option(help: ArgumentHelp("Repetitions of each point; the result is their median.", valueName: "n"))
  var steps = 3

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: OutputOptions

  private struct Point: Encodable {
    let subject: String
    let series: String
    let x: Int
    let milliseconds: Double
    let peakMib: Double
  }

  private struct Series {
    let name: String
    let job: BenchJob
    /// The values of x, each with its arguments.
    let points: [(x: Int, arguments: [String])]
  }

  func validate() throws {
    try positive("--steps", steps)
  }

  func run() throws {
    let folder = URL(fileURLWithPath: output)
    try requireParentFolder(of: folder)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let subjects = subjects.isEmpty ? Subject.allCases : subjects
    let bar = ProgressBar(
      label: "measuring", total: subjects.flatMap(Self.series).reduce(0) { $0 + $1.points.count })
    var all: [Point] = []
    for subject in subjects {
      var points: [Point] = []
      for series in Self.series(of: subject) {
        for (x, arguments) in series.points {
          points.append(try measure(subject, series, x, arguments))
          bar.update(completed: all.count + points.count)
        }
      }
      all += points
      for (quantity, unit, value) in [
        ("time", "milliseconds per \(subject == .training ? "step" : "chunk")", \Point.milliseconds),
        ("memory", "peak memory, MiB", \Point.peakMib),
      ] {
        let plot = LinePlot(
          title: "\(subject.title): \(quantity)", xLabel: subject.axis, yLabel: unit,
          series: Self.series(of: subject).map { series in
            LinePlot.Series(
              name: series.name,
              points: points.filter { $0.series == series.name }.map { (Double($0.x), $0[keyPath: value]) })
          }, isLogarithmic: subject == .vocabulary || subject == .candidates)
        try AtomicFile.write(
          Data(plot.svg.utf8), to: folder.appendingPathComponent("\(subject.rawValue)-\(quantity).svg").path)
      }
    }
    bar.finish()
    try BenchTable.write(all, to: folder.appendingPathComponent("growth.json").path)
    var table = Table(header: ["", "", "at", "ms", "MiB"], alignments: [.left, .left])
    for point in all {
      table.append([
        point.subject, point.series, "\(point.x)", String(format: "%.3g", point.milliseconds), "\(Int(point.peakMib))",
      ])
    }
    try report.print(all, text: table.text)
  }

  private func measure(_ subject: Subject, _ series: Series, _ x: Int, _ arguments: [String]) throws -> Point {
    var arguments = ["job", series.job.rawValue, "--steps", "\(steps)", "--device", compute.deviceName] + arguments
    if let precision = compute.precision { arguments += ["--precision", precision.rawValue] }
    if let threads = compute.threads { arguments += ["--threads", "\(threads)"] }
    struct Answer: Decodable { let measurement: BenchMeasurement }
    let measured = try BenchProcess.runSelf(arguments, as: Answer.self).measurement
    let chunks = measured.tokens / BenchShape.Name.small.shape.chunk
    // The time of a generated chunk excludes the prompt.
    let seconds =
      series.job.isTraining
      ? measured.secondsMedian
      : (measured.secondsMedian - (measured.promptSeconds ?? 0)) / Double(chunks)
    return Point(
      subject: subject.rawValue, series: series.name, x: x, milliseconds: 1000 * seconds, peakMib: measured.peakMib)
  }

  private static func series(of subject: Subject) -> [Series] {
    switch subject {
    case .training:
      [
        Series(
          name: "1 to 16 sequences of 512", job: .trainLanguageModel,
          points: [1, 2, 4, 8, 16].map { ($0 * 512, ["--batch-size", "\($0)", "--sequence-length", "512"]) }),
        Series(
          name: "1 sequence of 512 to 8,192", job: .trainLanguageModel,
          points: [512, 1024, 2048, 4096, 8192].map { ($0, ["--batch-size", "1", "--sequence-length", "\($0)"]) }),
      ]
    case .context:
      [(BenchJob.generate, "T = 1"), halfJobs[0]].map { job, name in
        Series(
          name: name, job: job,
          points: [64, 1024, 2048, 4096, 8192, 16384].map {
            ($0, ["--prompt-tokens", "\($0)", "--new-tokens", "64"])
          })
      }
    case .candidates:
      halfJobs.map { job, name in
        Series(
          name: name, job: job,
          points: [25, 50, 100, 200, 400, 800].map { ($0, ["--candidates", "\($0)", "--new-tokens", "64"]) })
      }
    case .vocabulary:
      ([(BenchJob.generate, "T = 1")] + halfJobs).map { job, name in
        Series(
          name: name, job: job,
          points: [2_000, 8_000, 32_000, 64_000, 128_000].map {
            ($0, ["--vocab-size", "\($0)", "--new-tokens", "64"])
          })
      }
    }
  }

  private static let halfJobs = [
    (BenchJob.generateHalfLate, "T = ½, samples differ late"), (.generateHalf, "T = ½, samples differ"),
    (.generateHalfEqual, "T = ½, samples equal"),
  ]
}

extension BenchGrowth.Subject {
  fileprivate var title: String {
    switch self {
    case .training: "A training step of the language model"
    case .context: "A generated chunk by context length"
    case .candidates: "A generated chunk by number of candidates"
    case .vocabulary: "A generated chunk by vocabulary size"
    }
  }

  fileprivate var axis: String {
    switch self {
    case .training: "tokens per step"
    case .context: "tokens of context"
    case .candidates: "candidates"
    case .vocabulary: "tokens in the vocabulary"
    }
  }
}
