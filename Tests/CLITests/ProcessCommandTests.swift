import CALMSupport
import Foundation
import Testing

@Suite("Training with several processes", .serialized) struct ProcessCommandTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.prepareData()
  }

  private func arguments(_ run: String, steps: Int = 600, _ more: String...) -> [String] {
    [
      "train", "autoencoder", "--data", folder.path("data"), "--out", folder.path(run), "--hidden-size", "32",
      "--latent-size",
      "16", "--steps", "\(steps)", "--batch-size", "4", "--sequence-length", "64", "--threads", "1", "--precision",
      "float32", "--checkpoint-interval", "20", "--json",
    ] + more
  }

  /// The losses by step.
  private func losses(_ run: String) throws -> [Int: Double] {
    struct Line: Decodable {
      let step: Double
      let loss: Double?
    }
    let text = try String(contentsOfFile: folder.path(run) + "/metrics.jsonl", encoding: .utf8)
    let lines = text.split(separator: "\n").compactMap { try? JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    return Dictionary(lines.compactMap { line in line.loss.map { (Int(line.step), $0) } }) { $1 }
  }

  private func expectSameLosses(_ one: String, _ other: String) throws {
    let (a, b) = (try losses(one), try losses(other))
    #expect(!a.isEmpty && a.keys.sorted() == b.keys.sorted())
    for (step, loss) in a {
      // Rounding differs between one process and several, and the difference grows with each step.
      #expect(abs(loss - (b[step] ?? .nan)) < 1e-3 * loss, "step \(step): \(loss) and \(b[step] ?? .nan)")
    }
  }

  /// Runs `calm`, and calls a closure with its processes once the run has a checkpoint.
  ///
  /// - Returns: the result and the seconds since then.
  private func run(
    _ arguments: [String], in run: String, disturb: (_ launcher: Int32, _ children: [Int32]) -> Void
  ) throws -> (result: CommandResult, seconds: Double) {
    let (output, errors) = (try folder.write(Data(), "output"), try folder.write(Data(), "errors"))
    let process = Process()
    process.executableURL = Command.url
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    let latest = folder.path(run) + "/latest"
    while process.isRunning, !FileManager.default.fileExists(atPath: latest) { Thread.sleep(forTimeInterval: 0.01) }
    let start = ContinuousClock.now
    if process.isRunning { disturb(process.processIdentifier, try children(of: process.processIdentifier)) }
    process.waitUntilExit()
    let elapsed = start.duration(to: .now)
    return (
      CommandResult(
        status: process.terminationStatus, output: try Data(contentsOf: output),
        errorOutput: String(decoding: try Data(contentsOf: errors), as: UTF8.self)),
      Double(elapsed.components.seconds)
    )
  }

  /// The ids of the child processes, in the order of their start.
  private func children(of process: Int32) throws -> [Int32] {
    let result = try Command.shell("ps -A -o pid=,ppid= | awk '$2 == \(process) { print $1 }'", in: folder.url)
    return result.text.split(separator: "\n").compactMap { Int32($0.trimmingCharacters(in: .whitespaces)) }.sorted()
  }

  @Test("Two processes have the losses of one process, and one of them writes", arguments: [false, true])
  func sameLosses(sharded: Bool) throws {
    let alone = try Command.run(arguments("alone", steps: 20))
    #expect(alone.status == 0, "\(alone.errorOutput)")
    var command = arguments("two", steps: 20, "--processes", "2")
    if sharded { command.append("--shard-optimizer") }
    let two = try Command.run(command)
    #expect(two.status == 0, "\(two.errorOutput)")
    #expect(two.errorOutput.contains("2 processes"))
    #expect(try two.json()["complete"] as? Bool == true)
    try expectSameLosses("alone", "two")
  }

  @Test("A killed process soon ends the others, with one line, and a restart completes the run with the same losses")
  func killed() throws {
    let uninterrupted = try Command.run(arguments("uninterrupted", "--processes", "2"))
    #expect(uninterrupted.status == 0, "\(uninterrupted.errorOutput)")
    for victim in [0, 1] {
      let run = "lost-\(victim)"
      let (result, seconds) = try self.run(arguments(run, "--processes", "2"), in: run) { _, children in
        if children.count == 2 { kill(children[victim], SIGKILL) }
      }
      #expect(result.status == 1)
      #expect(result.output.isEmpty)
      let errors = result.errorOutput.split(separator: "\n").filter { $0.hasPrefix("Error: ") }
      #expect(
        errors == ["Error: process \(victim) of 2 was terminated by SIGKILL; the others have stopped"],
        "\(result.errorOutput)")
      #expect(seconds < 15)
      let resumed = try Command.run([
        "train", "autoencoder", "--resume", folder.path(run), "--processes", "2", "--threads", "1", "--json",
      ])
      #expect(resumed.status == 0, "\(resumed.errorOutput)")
      #expect(try losses(run) == losses("uninterrupted"))
    }
    let (result, _) = try self.run(
      arguments("restarted", "--processes", "2", "--max-restarts", "1"), in: "restarted"
    ) { _, children in
      if children.count == 2 { kill(children[1], SIGKILL) }
    }
    #expect(result.status == 0, "\(result.errorOutput)")
    #expect(result.errorOutput.contains("restarting from the last checkpoint (1 of 1)"))
    #expect(try result.json()["step"] as? Int == 600)
    #expect(try losses("restarted") == losses("uninterrupted"))
  }

  @Test("An interruption of the command stops all processes after a step, with a checkpoint")
  func interrupted() throws {
    let (result, _) = try run(arguments("run", steps: 5000, "--processes", "2"), in: "run") { launcher, _ in
      kill(launcher, SIGINT)
    }
    #expect(result.status == 130, "\(result.errorOutput)")
    #expect(try result.json()["complete"] as? Bool == false)
    let step = try #require(try result.json()["step"] as? Int)
    let latest = try String(contentsOfFile: folder.path("run/latest"), encoding: .utf8)
    #expect(latest == "step-" + String(repeating: "0", count: 6 - "\(step)".count) + "\(step)\n")
  }

  @Test("Processes end if the command that started them was killed")
  func orphans() throws {
    var orphans: [Int32] = []
    _ = try run(arguments("run", steps: 100_000, "--processes", "2"), in: "run") { launcher, children in
      orphans = children
      kill(launcher, SIGKILL)
    }
    #expect(orphans.count == 2)
    let list = orphans.map(String.init).joined(separator: ",")
    func left() throws -> Bool {
      // Processes that have ended but were not waited for have the state Z.
      try Command.shell("ps -o stat= -p \(list) | grep -v '^Z'", in: folder.url).status == 0
    }
    let deadline = ContinuousClock.now + .seconds(20)
    while try left(), ContinuousClock.now < deadline { Thread.sleep(forTimeInterval: 0.1) }
    #expect(try !left())
  }

  @Test("Bad input is reported once")
  func badInput() throws {
    expectFailure(
      try Command.run(arguments("a", "--processes", "3")), saying: "a batch of 4 sequences", "3 processes")
    expectFailure(
      try Command.run(arguments("b", "--processes", "2", "--data", folder.path("nowhere"))), saying: "nowhere")
    // No machine has this many GPUs, and most have none.
    expectFailure(try Command.run(arguments("e", "--processes", "4000", "--device", "cuda")), saying: "cuda")
    expectFailure(
      try Command.run(arguments("e", "--processes", "2", "--device", "cuda:0")), saying: "--device cuda:0",
      "several processes need a GPU each", "CUDA_VISIBLE_DEVICES")
    let usage = try Command.run(arguments("c", "--max-restarts", "2"))
    #expect(usage.status == 64 && usage.errorOutput.contains("--max-restarts needs --processes"))
    let alone = try Command.shell(
      "RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29777 \"$CALM\" train transformer --data \"$DIR/data\" "
        + "--out \"$DIR/d\" --process-timeout 1", in: folder.url)
    expectFailure(alone, saying: "not all 2 processes joined at 127.0.0.1:29777 within 1 s")
    let half = try Command.shell(
      "RANK=0 WORLD_SIZE=2 \"$CALM\" train transformer --data \"$DIR/data\" --out \"$DIR/d\"", in: folder.url)
    expectFailure(half, saying: "MASTER_ADDR is not set")
    #expect(!FileManager.default.fileExists(atPath: folder.path("d")))
  }
}
