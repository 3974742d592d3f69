import CALMCorpus
import CALMSupport
import Foundation
import Testing

/// A training of the real program that is killed, starved of disk and robbed of its checkpoints, over and over, and must
/// come to the numbers of one that nobody disturbed. It prints the table of faults tried, survived and lost.
@Suite("Fault drill", .serialized) struct FaultDrillTests {
  private static let isLong = ProcessInfo.processInfo.environment["CALM_LONG_TESTS"] == "1"

  @Test("after every fault, resume goes on from the last checkpoint, and ends with the same bits")
  func drill() throws {
    let faults =
      Self.isLong
      ? Fault.mixed([
        (.kill, 20), (.killInCheckpoint, 15), (.terminate, 3), (.fullDisk, 4), (.flippedBit, 3), (.cutShort, 3),
        (.missingFile, 2), (.missingSeal, 2), (.halfDeleted, 3), (.killInReplacement, 3),
      ])
      : [
        .kill, .killInCheckpoint, .flippedBit, .kill, .missingSeal, .fullDisk, .killInCheckpoint, .halfDeleted,
        .cutShort, .killInReplacement,
      ]
    let drill = try FaultDrill(faultCount: faults.count)
    let undisturbed = try drill.undisturbed()
    for fault in faults { try drill.suffer(fault) }
    let run = try drill.finish()

    for folder in ["model", "checkpoints/\(try #require(undisturbed.latest).lastPathComponent)"] {
      let (expected, found) = (try undisturbed.files(of: folder), try run.files(of: folder))
      #expect(!expected.isEmpty && Set(expected.keys) == Set(found.keys))
      for (path, content) in expected { #expect(found[path] == content, "\(folder)/\(path)") }
    }
    #expect(run.lines == undisturbed.lines)
    print(drill.table)
  }
}

/// What can befall a training.
private enum Fault: String, CaseIterable {
  case kill = "SIGKILL at a random moment"
  case killInCheckpoint = "SIGKILL while a checkpoint is written"
  case killInReplacement = "SIGKILL between the two renames of a replaced checkpoint"
  case terminate = "SIGTERM"
  case fullDisk = "disk full while training"
  case flippedBit = "a bit of the latest checkpoint flipped"
  case cutShort = "a file of the latest checkpoint truncated"
  case missingFile = "a file of the latest checkpoint missing"
  case missingSeal = "the checksums of the latest checkpoint missing"
  case halfDeleted = "half of the latest checkpoint deleted"

  /// Whether it is the latest checkpoint that suffers.
  var isDamage: Bool { [.flippedBit, .cutShort, .missingFile, .missingSeal, .halfDeleted].contains(self) }

  /// So many of each, in a fixed random order.
  static func mixed(_ counts: [(Fault, Int)]) -> [Fault] {
    var random = SeededGenerator(seed: 7)
    return counts.flatMap { Array(repeating: $0.0, count: $0.1) }.shuffled(using: &random)
  }
}

/// A run, the faults that it suffered, and what they cost.
private final class FaultDrill {
  private static let interval = 10

  private struct Row { var (tried, survived, stepsLost, mostLost) = (0, 0, 0, 0) }

  private let folder: TemporaryFolder
  /// Where the disk fills up: a small file system of its own where the system lets us make one.
  private let disk: SmallDisk
  private let run: WatchedRun
  private let steps: Int
  private var random = SeededGenerator(seed: 2026)
  private var rows: [Fault: Row] = [:]

  init(faultCount: Int) throws {
    folder = try TemporaryFolder()
    disk = try SmallDisk(in: folder)
    run = WatchedRun(url: disk.url.appendingPathComponent("run"))
    steps = (3 * faultCount + 6) * Self.interval
    let result = try Command.run([
      "train", "autoencoder", "--data", try folder.prepareData(), "--out", folder.path("autoencoder"), "--hidden-size",
      "32",
      "--latent-size", "8", "--threads", "1", "--precision", "float32", "--batch-size", "2", "--sequence-length", "64",
      "--steps", "20",
    ])
    try #require(result.status == 0, "\(result.errorOutput)")
  }

  private var data: String { folder.path("data") }

  private func begin(_ path: String) -> [String] {
    [
      "train", "lm", "--data", data, "--autoencoder", folder.path("autoencoder/model"), "--out", path, "--hidden-size",
      "32", "--layers", "1", "--heads", "2", "--head-blocks", "1", "--energy-samples", "2", "--target-samples", "8",
      "--aux-warmup-steps", "15", "--threads", "1", "--precision", "float32", "--batch-size", "2", "--sequence-length",
      "64", "--steps",
      "\(steps)", "--checkpoint-interval", "\(Self.interval)", "--eval-interval", "50",
    ]
  }

  /// The run that nothing befalls.
  func undisturbed() throws -> WatchedRun {
    let run = WatchedRun(url: folder.url.appendingPathComponent("undisturbed"))
    let result = try Command.run(begin(run.url.path))
    try #require(result.status == 0, "\(result.errorOutput)")
    return run
  }

  /// Begins the run or takes it up.
  private func start(fileSizeLimit: Int? = nil) throws -> TrainingProcess {
    let isBegun = FileManager.default.fileExists(atPath: run.url.appendingPathComponent("run.json").path)
    let arguments = isBegun ? ["train", "lm", "--resume", run.url.path, "--threads", "1"] : begin(run.url.path)
    return try TrainingProcess(arguments, fileSizeLimit: fileSizeLimit)
  }

  /// Lets a fault befall the run, and sees to it that the next start goes on from the last checkpoint.
  func suffer(_ fault: Fault) throws {
    var row = rows[fault] ?? Row()
    row.tried += 1
    let before = try strike(fault)

    // The next start tells where it goes on.
    let resumed = try start()
    _ = try resumed.wait { resumed.errorOutput.contains("\nlm …") }
    resumed.send(SIGKILL)
    try resumed.end()
    let step = Self.resumedStep(of: resumed)
    // A signal's checkpoint may be newer than the last line of metrics.
    let lost = max(0, before.logged - step)
    if let checkpoint = before.checkpoint {
      #expect(step == checkpoint, "\(fault)")
      #expect(resumed.errorOutput.contains("the checkpoint is damaged") == fault.isDamage, "\(resumed.errorOutput)")
    }
    #expect(lost <= (fault.isDamage ? 2 : 1) * Self.interval, "\(fault)")
    row.survived += 1
    row.stepsLost += lost
    row.mostLost = max(row.mostLost, lost)
    rows[fault] = row
  }

  /// Trains for a while, then lets the fault strike.
  ///
  /// - Returns: the last step in the metrics and the step of the last sound checkpoint, both after the fault.
  private func strike(_ fault: Fault) throws -> (logged: Int, checkpoint: Int?) {
    switch fault {
    case .kill, .killInCheckpoint, .terminate:
      let process = try start()
      try letTrain(process)
      if fault == .killInCheckpoint { _ = try process.wait { run.isWritingCheckpoint } }
      usleep(UInt32.random(in: 0...(fault == .killInCheckpoint ? 4_000 : 30_000), using: &random))
      process.send(fault == .terminate ? SIGTERM : SIGKILL)
      #expect(try process.end() == (fault == .terminate ? 130 : -SIGKILL), "\(process.errorOutput)")
      #expect(try run.state() == (fault == .terminate ? "stopped" : "crashed"))
    case .killInReplacement:
      let process = try start()
      try letTrain(process)
      process.send(SIGKILL)
      try process.end()
      if let latest = run.latest { try leaveHalfReplaced(latest) }
    case .fullDisk:
      // The disk fills up before the next checkpoint is whole.
      let room = (try run.latest.map { try disk.size(of: $0) } ?? 1 << 18) / 2
      try disk.leave(room)
      let process = try start(fileSizeLimit: disk.isMounted ? nil : room / 2)
      #expect(try process.end() == 1)
      let line = process.errorOutput.split(separator: "\n").last ?? ""
      #expect(line.hasPrefix("Error: cannot write ") && line.contains("free some space"), "\(process.errorOutput)")
      try disk.leave(nil)
      #expect(!run.isWritingCheckpoint)
      #expect(try run.state() == "failed")
    case .flippedBit, .cutShort, .missingFile, .missingSeal, .halfDeleted:
      // Two checkpoints, so that there is one to fall back to.
      let process = try start()
      _ = try process.wait { run.checkpointSteps.count == 2 && !run.isWritingCheckpoint }
      process.send(SIGKILL)
      try process.end()
      let latest = try #require(run.latest)
      try damage(latest, fault)
      return (run.lastLoggedStep, run.checkpointSteps.last { $0 < WatchedRun.step(of: latest) ?? 0 })
    }
    return (run.lastLoggedStep, run.latest.flatMap(WatchedRun.step))
  }

  /// Waits until the run has come a random number of steps further.
  private func letTrain(_ process: TrainingProcess) throws {
    let isBegun = run.latest != nil
    _ = try process.wait { process.errorOutput.contains("\nlm …") && (!isBegun || run.lastLoggedStep > 0) }
    let target = run.lastLoggedStep + Int.random(in: 0...1, using: &random) * Self.interval
    _ = try process.wait { run.lastLoggedStep >= target }
  }

  /// Puts a checkpoint into the state between the two renames of its replacement, which is too short to hit with a signal.
  private func leaveHalfReplaced(_ checkpoint: URL) throws {
    let temporary = run.checkpoints.appendingPathComponent(".\(checkpoint.lastPathComponent).partial-2147483646-7")
    try FileManager.default.copyItem(at: checkpoint, to: temporary)
    try FileManager.default.moveItem(at: checkpoint, to: URL(fileURLWithPath: temporary.path + "-old"))
  }

  private func damage(_ checkpoint: URL, _ fault: Fault) throws {
    let names = ["model.safetensors", "optimizer.safetensors", "state.json", "config.json"]
    let file = checkpoint.appendingPathComponent(names[Int.random(in: 0..<names.count, using: &random)])
    // The file that tells whether the others are whole: a deletion may come to it before them.
    let seal = checkpoint.appendingPathComponent("checksums.json")
    var content = try Data(contentsOf: file)
    switch fault {
    case .flippedBit:
      content[Int.random(in: 0..<content.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case .cutShort: content = content.prefix(Int.random(in: 0..<content.count, using: &random))
    case .missingSeal: return try FileManager.default.removeItem(at: seal)
    case .halfDeleted:
      try FileManager.default.removeItem(at: seal)
      return try FileManager.default.removeItem(at: file)
    default: return try FileManager.default.removeItem(at: file)
    }
    try content.write(to: file)
  }

  /// The last start, which nothing disturbs.
  func finish() throws -> WatchedRun {
    let process = try start()
    #expect(try process.end() == 0, "\(process.errorOutput)")
    #expect(try run.state() == "finished")
    return run
  }

  private static func resumedStep(of process: TrainingProcess) -> Int {
    process.errorOutput.firstMatch(of: #/resuming after step (\d+)/#).flatMap { Int($0.1) } ?? 0
  }

  var table: String {
    let lines = Fault.allCases.compactMap { fault in
      rows[fault].map { "| \(fault.rawValue) | \($0.tried) | \($0.survived) | \($0.stepsLost) | \($0.mostLost) |" }
    }
    return """
      Fault drill: \(steps) steps, a checkpoint each \(Self.interval); full disk by \
      \(disk.isMounted ? "a small tmpfs" : "a limit of file size")
      | fault | injected | survived | steps repeated | at most |
      | --- | --- | --- | --- | --- |
      \(lines.joined(separator: "\n"))
      """
  }
}

/// A small file system in memory where the system lets this process mount one, else a plain folder.
private final class SmallDisk {
  private static let size = 64 << 20

  let url: URL
  let isMounted: Bool

  init(in folder: TemporaryFolder) throws {
    url = folder.url.appendingPathComponent("disk")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    isMounted = Self.call("mount", "-t", "tmpfs", "-o", "size=\(Self.size)", "tmpfs", url.path)
  }

  deinit { if isMounted { _ = Self.call("umount", "-l", url.path) } }

  /// Leaves only so many bytes free; nil makes room again.
  func leave(_ room: Int?) throws {
    guard isMounted else { return }
    let size = try room.map { try self.size(of: url) + $0 } ?? Self.size
    try #require(Self.call("mount", "-o", "remount,size=\(size)", url.path))
  }

  /// Bytes on the disk, in whole pages.
  func size(of folder: URL) throws -> Int {
    var total = 0
    for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
      let attributes = try? FileManager.default.attributesOfItem(atPath: folder.appendingPathComponent(path).path)
      guard attributes?[.type] as? FileAttributeType == .typeRegular else { continue }
      total += ((attributes?[.size] as? NSNumber)?.intValue ?? 0) / 4096 * 4096 + 4096
    }
    return total
  }

  private static func call(_ arguments: String...) -> Bool {
    #if os(Linux)
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = arguments
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      guard (try? process.run()) != nil else { return false }
      process.waitUntilExit()
      return process.terminationStatus == 0
    #else
      return false
    #endif
  }
}
