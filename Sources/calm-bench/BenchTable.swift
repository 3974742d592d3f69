import ArgumentParser
import CALMSupport
import CALMTerminal
import Foundation
import Torch

/// `calm-bench table`, the default subcommand.
struct BenchTable: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "table",
    abstract: "Time jobs, optionally alternating with the official code, and print a table.",
    discussion: """
      Tokens per second are medians over the turns; peak memory is the maximum. The limit is the minimum time at the \
      rates of the machine, measured in the same run: the operations of the straightforward algorithm at the rate of \
      matrix products, or the bytes of weights at the rate of memory, whichever takes longer. A share above 100 % \
      means that work was avoided.

      --out adds the results to a JSON file, such as NAME.json, and keeps those of other jobs. --markdown writes the \
      table of that file into a document: between the lines '<!-- calm-bench NAME -->' and \
      '<!-- end of calm-bench NAME -->', or at the end.

      Example:
        calm-bench train-ae generate-half --shape wide --precision float32 --official ../calm --python venv/bin/python
        calm-bench table --out docs/benchmarks/amd-epyc.json --markdown docs/benchmarks.md
      """)

  @Argument(help: ArgumentHelp("The jobs to time: \(BenchJob.names). (default: all)", valueName: "jobs"))
  var jobs: [BenchJob] = []

  @Option(
    parsing: .upToNextOption, help: ArgumentHelp("Sizes: small, wide, calm-m. (default: small)", valueName: "shapes"))
  var shape: [BenchShape.Name] = []

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Precisions to compute in: float32, bfloat16, auto. (default: auto)", valueName: "precisions"))
  var precision: [Precision] = []

  @Option(help: ArgumentHelp("Measurements of each side.", valueName: "n"))
  var turns = 2

  @Option(help: ArgumentHelp("Threads to compute with. (default: one for each core)", valueName: "n"))
  var threads: Int?

  @Option(help: "Device to compute on: cpu, cuda, cuda:N or mps. (default: cpu)")
  var device: String?

  @OptionGroup var destination: BenchDestination
  @OptionGroup var work: BenchWorkOptions
  @OptionGroup var comparison: BenchOfficialOptions
  @OptionGroup var report: OutputOptions

  func validate() throws {
    try positive("--turns", turns)
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads must be from 1 to 1024, not \(threads)")
    }
    try refuse(
      work.problems(with: timedJobs) + comparison.problems(with: timedJobs, work)
        + withoutEffect(
          "on jobs on text", when: timedJobs.allSatisfy(\.readsText),
          ["--shape": shape.ifGiven, "--precision": precision.ifGiven, "--device": device]))
  }

  private var timedJobs: [BenchJob] { jobs.isEmpty ? BenchJob.allCases : jobs }
  private var deviceName: String { device ?? "cpu" }

  func run() throws {
    let official = try comparison.runner()
    var results = try destination.results()
    let target = try Device(parsing: deviceName)
    let jobs = timedJobs
    let files = jobs.contains(where: \.readsText) ? try BenchTextFiles(work) : nil
    var new = BenchResults()
    func measure(_ job: BenchJob, _ shape: BenchShape.Name?, _ precision: DType?, rates: MachineRates?) throws {
      let row = try result(
        of: job, shape, precision, rates: rates, official: official, files: job.readsText ? files : nil)
      StandardError.note(BenchResults(rows: [row]).line)
      new.add(row)
      // Written after each row, so an interruption loses only the current one.
      results.add(row)
      try destination.write(results)
    }
    for precision in Self.distinct((precision.ifGiven ?? [.auto]).map { $0.resolved(on: target) }) {
      let models = jobs.filter { !$0.readsText }
      if models.isEmpty { break }
      let rates = try BenchProcess.runSelf(
        ["machine", "--precision", precision.rawValue] + computeArguments, as: MachineRates.self)
      for shape in Self.distinct(shape.ifGiven ?? [.small]) {
        for job in models { try measure(job, shape, precision, rates: rates) }
      }
    }
    for job in jobs where job.readsText { try measure(job, nil, nil, rates: nil) }
    try report.print(new.rows, text: new.text)
  }

  private var computeArguments: [String] {
    ["--device", deviceName] + (threads.map { ["--threads", "\($0)"] } ?? [])
  }

  private func result(
    of job: BenchJob, _ shape: BenchShape.Name?, _ precision: DType?, rates: MachineRates?, official: BenchOfficial?,
    files: BenchTextFiles?
  ) throws -> BenchResult {
    let threads = threads ?? Runtime.threads
    var arguments = ["job", job.rawValue, "--threads", "\(threads)"]
    var work = work
    if let shape, let precision {
      arguments += ["--shape", shape.rawValue, "--precision", precision.rawValue, "--device", deviceName]
    }
    if let files { (work.text, work.tokenizer) = (files.text, files.tokenizer) }
    struct Answer: Decodable { let measurement: BenchMeasurement }
    var (ours, theirs): ([BenchMeasurement], [BenchMeasurement]) = ([], [])
    for _ in 0..<turns {
      ours.append(try BenchProcess.runSelf(arguments + work.arguments(of: job), as: Answer.self).measurement)
      let peer = try official?.measure(
        job, work.shape(shape ?? .small), work: work, files: files, precision: precision?.rawValue ?? "",
        threads: threads, device: deviceName)
      if let peer { theirs.append(peer) }
    }
    return BenchResult(
      job: job, shape: shape?.rawValue, precision: precision?.rawValue,
      isCompiled: comparison.compile && job.isTraining, ours: ours, official: theirs, rates: rates,
      processor: Processor.current.model, instructions: Processor.current.instructions, threads: threads,
      device: deviceName, libtorch: Runtime.version,
      date: String(ISO8601DateFormatter().string(from: Date()).prefix(10)))
  }

  private static func distinct<Value: Hashable>(_ values: [Value]) -> [Value] {
    var seen: Set<Value> = []
    return values.filter { seen.insert($0).inserted }
  }

  /// Writes results as JSON, atomically.
  static func write(_ results: some Encodable, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    try AtomicFile.write(try encoder.encode(results) + Data("\n".utf8), to: path)
  }
}

extension BenchResults {
  /// One row, without the header.
  fileprivate var line: String { text.split(separator: "\n").dropFirst().first.map(String.init) ?? "" }
}
