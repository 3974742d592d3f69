import ArgumentParser
import CALMTerminal
import Foundation

/// The official code to compare with: `--official`, `--python`, `--compile`.
struct BenchOfficialOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A checkout of the official code, to be timed in turn.", valueName: "folder"))
  var official: String?

  @Option(help: ArgumentHelp("The Python that has torch and transformers 4.46, for it.", valueName: "path"))
  var python: String?

  @Flag(help: "Let torch.compile the official training steps.")
  var compile = false

  func validate() throws {
    if (official == nil) != (python == nil) { throw ValidationError("--official and --python go together") }
    if compile && official == nil { throw ValidationError("--compile is about the official code: give --official") }
  }

  /// Options that have no effect on some jobs, or on the official code.
  func problems(with jobs: [BenchJob], _ work: BenchWorkOptions) -> [String] {
    withoutEffect(
      "on \(jobs.map(\.rawValue).joined(separator: ", "))", when: !jobs.contains(where: \.isTraining),
      ["--compile": compile.ifGiven])
      + withoutEffect(
        "on the official code, which draws 200 chunks",
        when: official != nil && work.poolSize != 200 && jobs.contains(where: \.choosesFromPool),
        ["--candidates": work.candidates])
  }

  /// What runs the official code; nil where nothing was named.
  func runner() throws -> BenchOfficial? {
    guard let official, let python else { return nil }
    guard FileManager.default.fileExists(atPath: official + "/models/modeling_energy.py") else {
      throw BenchError.notOfficial(official)
    }
    // A path without the folder's links: a virtual environment is known by the link itself.
    guard FileManager.default.isExecutableFile(atPath: python) else { throw BenchError.noPython(python) }
    return BenchOfficial(
      folder: official, python: URL(fileURLWithPath: python), script: try BenchProcess.officialScript(),
      isCompiled: compile)
  }
}

/// Times the official code, one job a process.
struct BenchOfficial {
  let folder: String
  let python: URL
  let script: URL
  let isCompiled: Bool

  func measure(
    _ job: BenchJob, _ shape: BenchShape, work: BenchWorkOptions, files: BenchTextFiles?, precision: String,
    threads: Int, device: String
  ) throws -> BenchMeasurement {
    var arguments = [
      script.path, "--official", folder, "--job", job.officialName, "--steps", "\(work.steps)", "--threads",
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
      throw BenchError.failed("official \(job.officialName)", reason: reason)
    }
  }
}
