import ArgumentParser
import CALMTerminal
import CALMTraining
import Foundation
import Torch

/// How many processes train together, and what happens when one dies.
struct ProcessOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      Train with this many processes of this machine, each with its share of every batch and of the cores, and with \
      --device cuda a GPU of its own. Launchers of several machines set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT \
      instead.
      """, valueName: "n"), transform: whole(from: 1))
  var processes: Int?

  @Option(count: "How often --processes goes on from the last checkpoint when a process dies.", from: 0)
  var restarts = 0

  @Option(
    help: ArgumentHelp(
      "How long a process waits for the others, at the start and in every step, before it gives up; by default 600.",
      valueName: "seconds"), transform: whole(from: 1))
  var processTimeout: Int?

  @Flag(
    inversion: .prefixedNo,
    help: "Keep only a share of the optimizer's state in each process: less memory, the same steps.")
  var shardOptimizer = false

  /// What contradicts itself, or the place of this process among others.
  var problems: [String] {
    var problems: [String] = []
    if restarts > 0 && (processes == nil || LaunchedProcess.hasOtherLauncher) {
      problems.append("--restarts goes with --processes; other launchers restart by themselves")
    }
    problems += withoutEffect(
      "in a single process", when: !areSeveral,
      ["--shard-optimizer": shardOptimizer.ifGiven, "--process-timeout": processTimeout])
    return problems
  }

  /// Whether several processes train together, started by --processes or by another launcher.
  var areSeveral: Bool {
    if let processes { return processes > 1 }
    // A place that is only half told is refused where the processes meet.
    do { return (try RankVariables()?.worldSize ?? 1) > 1 } catch { return true }
  }

  /// Runs this command as several processes, where that is asked for and this is not yet one of them.
  ///
  /// - Parameter device: where the processes are to compute.
  /// - Returns: whether it did: then all is done.
  func launch(on device: String) throws -> Bool {
    let place = try RankVariables()
    guard let processes else { return false }
    if let place {
      guard place.worldSize == processes else {
        throw ValidationError("--processes \(processes) does not fit WORLD_SIZE \(place.worldSize); leave it out")
      }
      return false
    }
    if processes == 1 && restarts == 0 { return false }
    if processes > 1 {
      try Self.requireSeveral(on: device)
      if device == "cuda" && processes > CUDA.deviceCount {
        throw InputError.moreProcessesThanDevices(processes: processes, devices: CUDA.deviceCount)
      }
    }
    let program = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
    let launcher = ProcessLauncher(
      program, arguments: Array(CommandLine.arguments.dropFirst()), count: processes, restarts: restarts)
    Interruption.watch()
    let status = try launcher.run(
      isInterrupted: { Interruption.isRequested },
      willRestart: { number, reason in
        StandardError.note("\(reason); restart \(number) of \(restarts), from the last checkpoint")
      })
    if status != 0 { throw ExitCode(status) }
    return true
  }

  /// The name of the device that this process takes, of the one that all were given: each has a GPU of its own.
  ///
  /// - Throws: ``InputError`` and ``DeviceError`` where it has none, or several processes cannot use it.
  func ownDevice(of device: String) throws -> String {
    guard let place = try RankVariables(), place.worldSize > 1 else { return device }
    try Self.requireSeveral(on: device)
    if device == "cuda" && place.localRank >= CUDA.deviceCount {
      throw InputError.noDeviceForProcess(localRank: place.localRank, devices: CUDA.deviceCount)
    }
    return place.ownDevice(of: device)
  }

  /// The device for a run that goes on. A record names the GPU of the first process, and each takes its own.
  func device(resuming record: RunRecord) -> String {
    areSeveral && record.device.hasPrefix("cuda:") ? "cuda" : record.device
  }

  /// Refuses a device that several processes cannot train on.
  private static func requireSeveral(on device: String) throws {
    if device == "cpu" { return }
    if device == "cuda" { return try CUDA.loadNCCL() }
    if device.hasPrefix("cuda:") { throw InputError.processesOnOneDevice(device) }
    _ = try Device(parsing: device)
    throw InputError.processesOnDevice(device)
  }

  /// The processes that this one trains with: meets them, where there are others.
  ///
  /// - Parameter device: this process's own.
  /// - Throws: ``ProcessGroupError`` where they do not come, ``RankVariablesError``.
  func meet(on device: Device) throws -> any DataParallelGroup {
    LaunchedProcess.endWithLauncher()
    guard let place = try RankVariables(), place.worldSize > 1 else { return SingleProcess() }
    return MultiProcess(
      try ProcessGroup(
        host: place.host, port: place.port, rank: place.rank, count: place.worldSize, device: device,
        timeout: .seconds(processTimeout ?? 600)),
      shardsOptimizer: shardOptimizer)
  }
}

/// What a process knows of the launcher that has started it, ``ProcessLauncher`` or another.
enum LaunchedProcess {
  private static let mode = ProcessInfo.processInfo.environment[ProcessLauncher.variable]

  /// Whether another launcher than --processes has started this process.
  static var hasOtherLauncher: Bool {
    if mode != nil { return false }
    // A place that is only half told is refused where the processes meet.
    do { return try RankVariables() != nil } catch { return true }
  }

  /// Whether the processes before this one have died.
  static var isRestart: Bool { mode == "resume" || RankVariables.isRestart() }

  /// Whether an error is only that another process has gone, which the launcher tells better.
  static func isQuiet(about error: any Error) -> Bool {
    guard mode != nil, let error = error as? ProcessGroupError else { return false }
    return switch error {
    case .lost, .late: true
    case .absent, .portInUse, .unreachable: false
    }
  }

  /// Ends this process as an interruption does, when the one that started it is gone.
  static func endWithLauncher() {
    guard mode != nil else { return }
    // The launcher holds the other end of standard input, and never writes.
    let watch = Thread {
      _ = try? FileHandle.standardInput.readToEnd()
      kill(getpid(), SIGINT)
    }
    watch.name = "launcher watch"
    watch.start()
  }
}
