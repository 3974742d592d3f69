import ArgumentParser
import CALMTerminal
import Foundation

/// The official code for a comparison: `--official`, `--python`, `--compile`.
struct BenchOfficialOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Checkout of the official code for a comparison.", valueName: "folder"))
  var official: String?

  @Option(help: ArgumentHelp("Python for the official code, with torch and transformers 4.46.", valueName: "path"))
  var python: String?

  @Flag(help: "Compile the official training steps with torch.compile.")
  var compile = false

  func validate() throws {
    if (official == nil) != (python == nil) {
      throw ValidationError("--official and --python require each other; set both")
    }
    if compile && official == nil { throw ValidationError("--compile requires --official") }
  }

  /// Options that have no effect on the jobs or on the official code.
  func problems(with jobs: [BenchJob], _ work: BenchWorkOptions) -> [String] {
    withoutEffect(
      "on \(jobs.map(\.rawValue).joined(separator: ", "))", when: !jobs.contains(where: \.isTraining),
      ["--compile": compile.ifGiven])
      + withoutEffect(
        "on the official code, which samples 200 candidates",
        when: official != nil && work.candidateCount != 200 && jobs.contains(where: \.usesCandidates),
        ["--candidates": work.candidates])
      + withoutEffect(
        "on \(jobs.map(\.rawValue).joined(separator: ", ")), which the official code does not have",
        when: jobs.allSatisfy { $0.officialName == nil }, ["--official": official, "--python": python])
  }

  /// The runner of the official code; nil without --official.
  func runner() throws -> BenchOfficial? {
    guard let official, let python else { return nil }
    guard FileManager.default.fileExists(atPath: official + "/models/modeling_energy.py") else {
      throw BenchError.notOfficial(official)
    }
    // Links stay unresolved: a virtual environment is recognized by the path of the link.
    guard FileManager.default.isExecutableFile(atPath: python) else { throw BenchError.noPython(python) }
    return BenchOfficial(
      folder: official, python: URL(fileURLWithPath: python), script: try BenchProcess.officialScript(),
      isCompiled: compile)
  }
}

/// Times the official code, one process per job.
struct BenchOfficial {
  let folder: String
  let python: URL
  let script: URL
  let isCompiled: Bool

  /// Times a job; nil if the official code has no such model.
  func measure(
    _ job: BenchJob, _ shape: BenchShape, work: BenchWorkOptions, files: BenchTextFiles?, precision: String,
    threads: Int, device: String
  ) throws -> BenchMeasurement? {
    guard let name = job.officialName else { return nil }
    var arguments = [
      script.path, "--official", folder, "--job", name, "--steps", "\(work.steps)", "--threads",
      "\(threads)",
    ]
    if let files {
      arguments += ["--text", files.text, "--tokenizer", files.tokenizer]
    } else {
      let encoder = JSONEncoder()
      encoder.keyEncodingStrategy = .convertToSnakeCase
      arguments += [
        "--shape", String(decoding: try encoder.encode(shape), as: UTF8.self), "--precision", precision, "--device",
        device, "--prompt-tokens", "\(work.promptLength)", "--new-tokens", "\(work.newLength)",
      ]
    }
    if isCompiled && job.isTraining { arguments.append("--compile") }
    do {
      return try BenchProcess.run(python, arguments, as: BenchMeasurement.self)
    } catch BenchError.failed(_, let reason) {
      throw BenchError.failed("official \(name)", reason: reason)
    }
  }
}
