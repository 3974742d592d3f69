import ArgumentParser
import CALMTerminal
import CALMTraining
import Foundation
import Torch

/// Where a run is written, how many processes train it together, and what happens when one dies: settings of a command
/// line or a file that a run does not keep.
struct LaunchSettings: SettingsTable {
  /// The folder of a new run.
  var out: String?
  private var processes: Int?
  private var maxRestarts = 0
  private var processTimeout = 600
  private var shardOptimizer = false

  static let groups = [
    SettingGroup<Self>(
      "Run and processes",
      [
        Setting("out", \.out, .text("path"), "The folder of the new run."),
        Setting(
          "processes", \.processes, .count,
          "Train with this many processes of this machine, each with a share of every batch and of the cores, and with "
            + "--device cuda its own GPU. Launchers of several machines set RANK, WORLD_SIZE, MASTER_ADDR and "
            + "MASTER_PORT instead."
        ).changeable,
        Setting(
          "max_restarts", \.maxRestarts, .countOrZero,
          "How often --processes resumes from the last checkpoint when a process dies."
        ).changeable,
        Setting(
          "process_timeout", \.processTimeout, .count, "Seconds that a process waits for the others before it gives up."
        ).changeable,
        Setting(
          "shard_optimizer", \.shardOptimizer, .flag,
          "Keep only a share of the optimizer's state in each process: less memory, the same steps."
        ).changeable,
      ])
  ]

  /// What contradicts itself, or the place of this process among others.
  func faults(_ given: GivenSettings) -> [String] {
    var faults: [String] = []
    if maxRestarts > 0 && (processes == nil || LaunchedProcess.hasOtherLauncher) {
      faults.append(
        "\(given.title(of: "max_restarts")) needs --processes; other launchers restart processes by themselves")
    }
    let idle = (shardOptimizer ? ["shard_optimizer"] : []) + (given.has("process_timeout") ? ["process_timeout"] : [])
    return faults
      + withoutEffect("in a single process", names: areSeveral ? [] : idle.map(given.title))
  }

  /// Whether several processes train together, started by --processes or by another launcher.
  var areSeveral: Bool {
    if let processes { return processes > 1 }
    // An incomplete address is refused when the processes join.
    do { return (try RankVariables()?.worldSize ?? 1) > 1 } catch { return true }
  }

  /// Runs this command as several processes, where that is asked for and this is not yet one of them.
  ///
  /// - Parameter device: where the processes are to compute.
  /// - Returns: whether it did: then all is done.
  func start(on device: String) throws -> Bool {
    let place = try RankVariables()
    guard let processes else { return false }
    if let place {
      guard place.worldSize == processes else {
        throw ValidationError("--processes \(processes) does not fit WORLD_SIZE \(place.worldSize); leave it out")
      }
      return false
    }
    if processes == 1 && maxRestarts == 0 { return false }
    if processes > 1 {
      try Self.requireSeveral(on: device)
      if device == "cuda" && processes > CUDA.deviceCount {
        throw InputError.moreProcessesThanDevices(processes: processes, devices: CUDA.deviceCount)
      }
    }
    let program = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
    let launcher = ProcessLauncher(
      program, arguments: Array(CommandLine.arguments.dropFirst()), count: processes, restarts: maxRestarts)
    Interruption.watch()
    let status = try launcher.run(
      isInterrupted: { Interruption.isRequested },
      willRestart: { number, reason in
        StandardError.note("\(reason); restart \(number) of \(maxRestarts), from the last checkpoint")
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

  /// The device for a resumed run. A record names the GPU of the first process, and each takes its own.
  func device(resuming record: RunRecord) -> String {
    areSeveral && record.settings.inputs.device.hasPrefix("cuda:") ? "cuda" : record.settings.inputs.device
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
        timeout: .seconds(processTimeout)),
      shardsOptimizer: shardOptimizer)
  }
}

/// What a process knows of the launcher that has started it, ``ProcessLauncher`` or another.
enum LaunchedProcess {
  private static let mode = ProcessInfo.processInfo.environment[ProcessLauncher.variable]

  /// Whether another launcher than --processes has started this process.
  static var hasOtherLauncher: Bool {
    if mode != nil { return false }
    // An incomplete address is refused when the processes join.
    do { return try RankVariables() != nil } catch { return true }
  }

  /// Whether the processes before this one have died.
  static var isRestart: Bool { mode == "resume" || RankVariables.isRestart() }

  /// Whether an error only says that another process ended, which the launcher reports better.
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
